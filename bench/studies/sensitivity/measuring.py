"""Variants of one model's trained weights, measured beside each other, with their answers kept."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.core.variant_key import BASELINE, VariantKey
from bench.measuring import machine
from bench.results.run import Run
from bench.results.run_spec import RunSpec
from bench.running.execute import settings_of
from bench.running.latency import ModelLatency, sample_latencies
from bench.running.model_session import ModelSession
from bench.running.parallel import Parallel
from bench.running.provenance import data_of, training_of
from bench.running.rows import make_variants
from bench.running.task_models import request_of
from bench.running.training_precision import PrecisionPolicy, preferred_precision
from bench.running.variant_under_test import VariantUnderTest
from bench.storage.checkpoint import Header, TrainingSpec
from bench.techniques.base import TECHNIQUES, Technique
from bench.worker.messages import TaskModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Right = NDArray[np.bool_]
    """Which examples of the test set were answered right, in its order."""


@dataclass(frozen=True)
class Measured:
    """A run, and what each variant has right."""

    run: Run
    right: dict[VariantKey, Right]


@dataclass(frozen=True)
class Measuring:
    """Measures variants of one model."""

    session: ModelSession
    spec: RunSpec
    training: TrainingSpec
    """Of the weights that all of them start from."""
    header: Header

    def measure(self, techniques: Sequence[Technique]) -> Measured:
        """Return the rows of fp32 and ``techniques``, all in the same rounds."""
        keys = list(dict.fromkeys([BASELINE, *(VariantKey(technique.name) for technique in techniques)]))
        session, settings = self.session, settings_of(self.spec.with_variants(keys))
        dataset = session.dataset
        weights = session.store.source(self.training)
        workload = TaskModel(dataset.task, session.selected.spec.name, dataset.path, weights)
        policy = PrecisionPolicy(settings.device, session.machine.isa, settings.training_precision)
        variants = []
        for position, key in enumerate(keys):
            technique = TECHNIQUES.get(key.technique)
            preferred = preferred_precision(technique, session.selected.spec, settings.device)
            packed = dataset.path.with_name(f"layers-{position}.packed")
            request = request_of(key, workload, packed, settings, session.machine)
            notes = policy.notes(preferred, self.training, session.store)
            variants.append(VariantUnderTest(technique, request, None, notes=notes))
        name = session.selected.name
        parallel = Parallel(name, max(1, machine.usable_cores() // settings.threads), session.bars)
        make_variants(variants, settings, parallel)
        sample_latencies([ModelLatency(name, variants, settings, parallel)])
        rows = [variant.row() for variant in variants]
        run = Run(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            finished=True,
            machine=session.machine,
            settings=settings,
            data=[data_of(dataset)],
            trainings=[training_of(session.selected, self.header)],
            rows=rows,
        )
        answered = {variant.key: variant.evaluation for variant in variants if variant.evaluation is not None}
        return Measured(run, {key: one.right for key, one in answered.items() if one.right is not None})
