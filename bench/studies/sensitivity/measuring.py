"""Variants of one model's weights, measured beside each other, with their answers kept."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.core.variant_key import BASELINE, EAGER, VariantKey
from bench.results.evaluation import Evaluation
from bench.results.row import Accuracy
from bench.results.run import Run
from bench.results.run_spec import RunSpec
from bench.running.evaluated import EvaluatedVariant
from bench.running.execute import settings_of
from bench.running.latency import ModelLatency, sample_latencies
from bench.running.parallel import Parallel
from bench.running.rows import make_variants
from bench.running.studied_model import StudiedModel, Weights
from bench.running.task_models import request_of
from bench.running.variant_under_test import VariantUnderTest
from bench.techniques.base import TECHNIQUES, Technique

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Right = NDArray[np.bool_] | Accuracy
    """Which examples of the test set were answered right, in its order; or how many of a user's."""


@dataclass(frozen=True)
class Measured:
    """A run, and what each variant has right."""

    run: Run
    right: Mapping[VariantKey, Right]
    runtime: str = EAGER
    """What executed all of them; fp32 on eager is there too."""

    def key(self, technique: str) -> VariantKey:
        """Return what tells a technique's variant from the others."""
        return VariantKey(technique, self.runtime)


@dataclass(frozen=True)
class Measuring:
    """Measures variants of one model."""

    model: StudiedModel
    spec: RunSpec
    weights: Weights
    """That all of them start from."""
    runtime: str = EAGER
    """What executes them."""

    def evaluate(self, technique: Technique) -> EvaluatedVariant | Exception:
        """Make a variant and let it answer the test set; it is not timed."""
        return self.model.evaluate(technique, self.weights, self.runtime)

    def measure(self, techniques: Sequence[Technique]) -> Measured:
        """Return the rows of fp32 on eager, and of fp32 and ``techniques`` on the runtime, all in the same rounds."""
        names = [BASELINE.technique, *(technique.name for technique in techniques)]
        keys = list(dict.fromkeys([BASELINE, *(VariantKey(name, self.runtime) for name in names)]))
        model, settings = self.model, settings_of(self.spec.with_variants(keys), self.model.machine)
        variants = []
        for position, key in enumerate(keys):
            technique = TECHNIQUES.get(key.technique)
            packed = model.folder / f"layers-{position}.packed"
            request = request_of(key, self.weights.workload, packed, settings, model.machine)
            notes = model.notes(technique, self.weights, settings)
            variants.append(VariantUnderTest(technique, request, None, notes=notes))
        parallel = Parallel.of(model.name, variants, settings.threads, model.bars)
        make_variants(variants, settings, parallel)
        sample_latencies([ModelLatency(model.name, variants, settings, parallel)])
        run = Run(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            finished=True,
            machine=model.machine,
            settings=settings,
            data=[model.data],
            trainings=list(self.weights.trainings),
            rows=[variant.row() for variant in variants],
        )
        answered = {variant.key: right_in(variant.evaluation) for variant in variants if variant.evaluation is not None}
        known = {key: right for key, right in answered.items() if right is not None}
        return Measured(run, known, self.runtime)


def right_in(evaluation: Evaluation) -> Right | None:
    """Return what is known of the right answers; ``None`` where nothing, or a share alone."""
    return evaluation.right if evaluation.right is not None else evaluation.accuracy
