"""The reference: always the same computation, in every round, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.core.progress import Bars
from bench.results.row import Row
from bench.results.settings import Settings
from bench.running.reference import ReferenceWorkload
from bench.running.rows import measure_model
from bench.worker.reference_host import ReferenceHost
from tests.bench.running.test_rows import FP32, OTHER, QUICK, tick, variant

SIZES = [1, 64]


def measure(folder: Path, settings: Settings) -> tuple[dict[str, Row], ReferenceWorkload]:
    reference = ReferenceWorkload(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.running.rows.VARIANT_HOST", "tests.bench.hosts:FakeVariant")
        patch.setattr("bench.running.reference.REFERENCE_HOST", "tests.bench.hosts:FakeReference")
        subjects = [variant(folder, FP32), variant(folder, OTHER)]
        rows = measure_model(subjects, settings, cores=2, bars=Bars("nothing"), reference=reference)
    return {row.technique: row for row in rows}, reference


def test_each_row_has_its_pace_over_the_rounds_of_both(tmp_path: Path) -> None:
    rows, reference = measure(tmp_path, QUICK)
    assert rows.keys() == {FP32, OTHER}, "it is no row"
    assert reference.latency.keys() == {1, 64}
    assert reference.latency[1].rounds_s == pytest.approx([5e-4] * 8)
    assert reference.latency[1].calls_per_block == 20
    # fp32 takes 2 ms a call and example, the other 1 ms, the reference workload half a millisecond.
    assert rows[FP32].relative_latency[1].value == pytest.approx(4.0)
    assert rows[OTHER].relative_latency[64].value == pytest.approx(128.0)
    assert rows[OTHER].relative_latency[64].n == 8
    assert rows[OTHER].speedup[64].value == pytest.approx(2.0)


def test_it_goes_on_in_fresh_processes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tick(monkeypatch)
    rows, reference = measure(tmp_path, QUICK.model_copy(update={"budget_s": 0.8, "precision": 1e-9}))
    assert max(len(latency.starts) for latency in reference.latency.values()) > 1
    for size in SIZES:
        assert set(rows[FP32].latency[size].rounds) <= set(reference.latency[size].rounds)
        assert rows[FP32].relative_latency[size].n == len(rows[FP32].latency[size].rounds)


@pytest.mark.parametrize("step", ["warm up", "time"])
def test_a_reference_that_dies_leaves_the_rows_alone(tmp_path: Path, step: str) -> None:
    rows, reference = measure(tmp_path, QUICK.model_copy(update={"device": step}))
    assert not reference.latency
    for row in rows.values():
        assert (row.status, row.relative_latency) == ("ok", {})
        assert row.latency.keys() == {1, 64}


def test_one_that_would_come_up_at_the_second_start_is_left_out_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(monkeypatch)
    plant = f"once {tmp_path / 'died'}"
    rows, reference = measure(tmp_path, QUICK.model_copy(update={"device": plant, "budget_s": 0.8, "precision": 1e-9}))
    assert not reference.latency
    assert max(len(latency.starts) for latency in rows[FP32].latency.values()) > 1
    assert all(row.latency.keys() == {1, 64} and not row.relative_latency for row in rows.values())


def test_the_computation_is_the_one_it_always_was() -> None:
    """Figures of earlier runs compare as long as this test stands as it is."""
    host = ReferenceHost(lambda done, total: None)
    host.build(threads=1, device="cpu")
    linears = [part for part in host._executable.artifact.module.modules() if isinstance(part, torch.nn.Linear)]
    assert [(part.in_features, part.out_features, part.weight.dtype) for part in linears] == [
        (512, 512, torch.float32)
    ] * 3
    assert float(linears[0].weight[0, 0].detach()) == pytest.approx(-0.049756, abs=1e-6)
    assert [host._inputs(size).shape for size in (1, 64, 4096)] == [(1, 512), (64, 512), (64, 512)]


def test_its_blocks_are_read_like_any() -> None:
    host = ReferenceHost(lambda done, total: None)
    host.build(threads=1, device="cpu")
    warm_up = host.warm_up([1], [])[1]
    host.reallocate(1)
    assert host.time(1, warm_up.calls_per_block).elapsed_s > 0
