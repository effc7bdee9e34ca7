"""Models whose variants are made and timed by the hosts of ``tests.bench.hosts``, beside a fake reference workload."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.core.progress import Bars
from bench.core.variant_key import VariantKey
from bench.results.row import Row
from bench.results.settings import Settings
from bench.running.latency import ModelLatency, sample_latencies
from bench.running.parallel import Parallel
from bench.running.rows import make_variants
from bench.running.variant_under_test import VariantUnderTest
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import TaskModel, VariantRequest
from tests.bench.examples import SETTINGS

FP32, PLANTED, OTHER = "fp32", "bf16", "dynamic-qint8"
MODEL = "mnist/lab1"
BRIEF = 8
"""Passes of a model, each of which takes a second of the fake clock."""
QUICK = SETTINGS.model_copy(update={"timeout_s": 60.0, "pinned_cores": [], "budget_s": BRIEF})


class Impatient(VariantUnderTest):
    """Counts as hung after half a second, in which the others, however busy the machine is, do not."""

    def start(self, host: str, timeout_s: float) -> None:
        super().start(host, timeout_s=0.5)


def variant(
    folder: Path, technique: str, plant: str = "none", unsupported_reason: Exception | None = None
) -> VariantUnderTest:
    """Return a variant that a fake host makes, in which ``plant`` goes wrong."""
    request = VariantRequest(
        key=VariantKey(technique),
        workload=TaskModel("mnist", "lab1", dataset=Path("unused"), checkpoint=Path("unused")),
        packed=folder / f"{technique}.packed",
        device="cpu",
        engine=plant,
        isa=frozenset(),
        threads=1,
        largest_batch=64,
    )
    kind = Impatient if plant.endswith(": hang") else VariantUnderTest
    return kind(TECHNIQUES.get(technique), request, unsupported_reason)


@contextmanager
def fakes() -> Iterator[pytest.MonkeyPatch]:
    """Let variants and the reference workload be fakes, and each pass take a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.running.rows.VARIANT_HOST", "tests.bench.hosts:FakeVariant")
        patch.setattr("bench.running.reference.REFERENCE_HOST", "tests.bench.hosts:FakeReference")
        patch.setattr("bench.running.latency.time", SimpleNamespace(monotonic=itertools.count().__next__))
        yield patch


def made(variants: Sequence[VariantUnderTest], settings: Settings = QUICK, name: str = MODEL) -> ModelLatency:
    """Make the variants of one model; nothing is timed yet."""
    parallel = Parallel(name, at_once=2, bars=Bars("nothing"))
    make_variants(variants, settings, parallel)
    return ModelLatency(name, variants, settings, parallel)


def sampled(
    *models: Sequence[VariantUnderTest],
    settings: Settings = QUICK,
    after_sweep: Callable[[], None] = lambda: None,
) -> list[ModelLatency]:
    """Make the variants of the models and sample their latencies."""
    with fakes():
        prepared = [made(variants, settings, f"mnist/lab{1 + number}") for number, variants in enumerate(models)]
        sample_latencies(prepared, after_sweep)
    assert all(one.worker is None for variants in models for one in variants), "no process is left"
    return prepared


def rows_of(variants: Sequence[VariantUnderTest], settings: Settings = QUICK) -> dict[str, Row]:
    """Return the rows of one model by technique."""
    sampled(variants, settings=settings)
    return {one.key.technique: one.row() for one in variants}
