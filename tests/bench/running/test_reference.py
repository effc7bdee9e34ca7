"""The reference workload: always the same computation, in every pass, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.measuring.latency.sampling import ROUNDS
from bench.results.latency import Latency, log_ratios
from bench.results.row import Row
from bench.worker.reference_host import ReferenceHost
from tests.bench.running.fake_models import BRIEF, FP32, OTHER, QUICK, sampled, variant


def measure(folder: Path, device: str = "cpu") -> tuple[dict[str, Row], dict[int, Latency]]:
    """Return rows and what was measured of the reference; ``device`` says where that goes wrong."""
    variants = [variant(folder, FP32), variant(folder, OTHER)]
    [model] = sampled(variants, settings=QUICK.model_copy(update={"device": device}))
    return {one.key.technique: one.row() for one in variants}, model.references


def processes(latency: Latency) -> list[int]:
    return sorted(set(latency.processes))


def test_it_is_timed_in_the_rounds_of_every_pass(tmp_path: Path) -> None:
    rows, references = measure(tmp_path)
    assert rows.keys() == {FP32, OTHER}, "it is no row"
    assert references.keys() == {1, 64}
    assert references[1].rounds_s == pytest.approx([5e-4] * BRIEF * ROUNDS)
    assert references[1].estimate_s == pytest.approx(5e-4)
    assert references[1].calls_per_block == 20
    for size, factor in ((1, 4.0), (64, 256.0)):  # fp32 takes 2 ms for an example
        assert references[size].rounds == rows[FP32].latency[size].rounds
        logs = torch.tensor(log_ratios(rows[FP32].latency[size], references[size]))
        assert logs.exp().tolist() == pytest.approx([factor] * BRIEF)


@pytest.mark.parametrize("step", ["warm up", "time"])
def test_a_reference_that_always_dies_leaves_the_rows_alone(tmp_path: Path, step: str) -> None:
    rows, references = measure(tmp_path, step)
    assert not references
    for row in rows.values():
        assert row.status == "ok"
        assert all(processes(latency) == list(range(BRIEF)) for latency in row.latency.values())


def test_one_failed_start_loses_one_observation(tmp_path: Path) -> None:
    rows, references = measure(tmp_path, f"once {tmp_path / 'died'}")
    for size in (1, 64):
        assert processes(references[size]) == list(range(1, BRIEF))
        assert len(log_ratios(rows[OTHER].latency[size], references[size])) == BRIEF - 1
        assert processes(rows[OTHER].latency[size]) == list(range(BRIEF))
        assert rows[OTHER].speedup[size].n == BRIEF


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
    assert host.time(1, warm_up.calls_per_block).elapsed_s > 0
