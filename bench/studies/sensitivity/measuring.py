"""Variants of one model's trained weights, measured beside each other, with their answers kept."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.measuring import machine
from bench.results.run import BASELINE, Run, Settings
from bench.running.measurement import VariantUnderTest
from bench.running.model_session import ModelSession
from bench.running.provenance import data_of, training_of
from bench.running.rows import measure_model
from bench.storage.checkpoint import Header, TrainingSpec
from bench.techniques.base import TECHNIQUES, Technique

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Right = NDArray[np.bool_]
    """Which examples of the test set were answered right, in its order."""


@dataclass(frozen=True)
class Measured:
    """A run, and what each technique has right."""

    run: Run
    right: dict[str, Right]


@dataclass(frozen=True)
class Measuring:
    """Measures variants of one model."""

    session: ModelSession
    settings: Settings
    order: TrainingSpec
    """Of the weights that all of them start from."""
    header: Header

    def measure(self, techniques: Sequence[Technique]) -> Measured:
        """Return the rows of fp32 and ``techniques``, all in the same rounds."""
        every = list(dict.fromkeys([TECHNIQUES.get(BASELINE), *techniques]))
        settings = self.settings.model_copy(update={"techniques": [each.name for each in every]})
        subjects = []
        for position, each in enumerate(every):
            packed = self.session.dataset.path.with_name(f"layers-{position}.packed")
            request = self.session.request(each, self.order, packed)
            request = replace(
                request,
                engine=settings.engine,
                threads=settings.threads,
                largest_batch=max(settings.batch_sizes),
            )
            subjects.append(VariantUnderTest(each, request, None))
        rows = measure_model(subjects, settings, machine.usable_cores(), self.session.bars)
        run = Run(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            finished=True,
            machine=self.session.machine,
            settings=settings,
            data=[data_of(self.session.dataset)],
            trainings=[training_of(self.session.selected, self.header)],
            rows=rows,
        )
        return Measured(run, {each.name: each.evaluation.right for each in subjects if each.evaluation is not None})
