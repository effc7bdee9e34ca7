"""What the discussion of a run suggests to measure next."""

from __future__ import annotations

import pytest

from bench.report.discussion import findings, sentence
from bench.report.findings.finding import Finding
from bench.results.run import Run
from tests.bench.examples import (
    FP16,
    FP32,
    QINT8,
    agreement,
)
from tests.bench.report.discussed import (
    EQUALLY_FAST,
    HINT,
    found,
    run_of,
    techniques,
    with_speedups,
)


def suggested(run: Run) -> Finding:
    """Return the follow-up."""
    [follow_up] = findings(run)["Suggested follow-up"]
    return follow_up


def test_answers_that_collapse_ask_for_a_scale_for_each_output() -> None:
    collapsed = QINT8.model_copy(update={"agreement": agreement(1_000, 9_000, 0)})
    [follow_up] = found(run_of(FP32, collapsed), "per-channel weights")
    assert "dynamic-qint8:per-channel" in sentence(run_of(FP32, collapsed), follow_up)
    off = QINT8.model_copy(update={"agreement": None, "accuracy": None, "right": None, "output_error": 0.9})
    assert found(run_of(FP32, off), "per-channel weights")
    other = collapsed.model_copy(update={"technique": "dynamic-qint8:per-channel"})
    assert not found(run_of(FP32, collapsed, other), "per-channel weights"), "it was measured"
    assert not found(run_of(FP32, QINT8), "per-channel weights")


def test_a_hint_in_accuracy_asks_for_other_trainings() -> None:
    follow_up = suggested(run_of(FP32, FP16, HINT))
    assert (follow_up.kind, techniques(follow_up)) == ("repeat with seeds", ["dynamic-qint8"])
    assert follow_up.figures["points"] == pytest.approx(-0.15)
    # The sign test of 6 equal signs is the first below 0.05: 2 / 2⁶ = 0.031.
    assert (follow_up.figures["seeds"], follow_up.figures["sign_p"]) == (6, pytest.approx(2 / 2**6))


def test_given_weights_have_no_other_training() -> None:
    follow_up = suggested(run_of(FP32, FP16, HINT, inputs="net.py:inputs"))
    assert follow_up.kind == "more test examples"


def test_a_vague_speed_up_asks_for_more_processes() -> None:
    follow_up = suggested(run_of(FP32, FP16, QINT8))
    assert (follow_up.kind, techniques(follow_up), follow_up.figures["batch"]) == ("more processes", ["fp16"], 64)
    assert follow_up.figures["half_width"] == pytest.approx(0.15 / 1.04)
    # 10 rounds of 100 calls, 6 blocks repeated, a warm-up block: fp16 577 µs · 10 + 1154 µs · 6, fp32 600 µs · 10,
    # four times of which are 7.9 s with the warm-up; twice that leaves room.
    assert follow_up.figures["budget_s"] == 16


def test_what_the_surprise_asks_is_not_asked_again() -> None:
    run = run_of(FP32, QINT8)
    assert len(found(run, "batch sizes between")) == 1
    assert suggested(run).kind == "another seed"


def test_a_slow_down_at_small_batches_that_surprises_less_than_another_figure_asks_where_it_ends() -> None:
    follow_up = suggested(run_of(FP32, with_speedups(QINT8, 0.96, 6.0)))
    assert follow_up.kind == "batch sizes between"
    assert follow_up.figures["batches"] == [1, 2, 4, 8, 16, 32, 64]


def test_else_the_largest_difference_asks_for_another_seed() -> None:
    follow_up = suggested(run_of(FP32, EQUALLY_FAST))
    assert (follow_up.kind, follow_up.figures["seed"]) == ("another seed", 0)
    assert follow_up.figures["points"] == pytest.approx(-0.01)
