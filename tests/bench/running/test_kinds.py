"""Kinds of users' models that public bug reports are about, the whole way to the rows and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.core.errors import UserModelError
from bench.report.markdown import render
from bench.results.row import Row
from bench.results.run import Run
from tests.bench import kinds
from tests.bench.running.test_user_models import MEASURED, QUICK

KINDS = Path(kinds.__file__)


@pytest.fixture(autouse=True)
def _not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without latencies: they are tested elsewhere, and take the time."""
    monkeypatch.setattr("bench.running.execute.sample_latencies", lambda models, record: None)


def run_of(build: str, *techniques: str, inputs: str = "fours", **options: Any) -> Run:
    named: dict[str, Any] = {
        name: f"{KINDS}:{value}" for name, value in options.items() if name in ("evaluate", "calibrate")
    }
    chosen = QUICK | {"batch_sizes": [1, 4]} | {name: options[name] for name in options if name not in named}
    return bench.run(models=[f"{KINDS}:{build}"], inputs=f"{KINDS}:{inputs}", techniques=techniques, **named, **chosen)


def rows(run: Run) -> dict[str, Row]:
    return {row.technique: row for row in run.rows}


@pytest.mark.slow
def test_a_batch_that_the_model_fixes_is_kept_throughout() -> None:
    with pytest.raises(UserModelError) as caught:
        run_of("FixedBatch", "fp32")
    assert "kinds.py, line" in str(caught.value)
    assert "name the batch sizes that the model takes with --batch" in str(caught.value)
    measured = rows(
        run_of("FixedBatch", "bf16", "dynamic-qint8", "static-qint8", batch_sizes=[4], calibrate="four_batches")
    )
    for row in measured.values():
        assert row.status in MEASURED, row.reason
        assert row.packed_bytes, row.notes


@pytest.mark.slow
def test_answers_at_random_are_compared_under_one_seed() -> None:
    measured = rows(run_of("follows_a_draw", "bf16", "dynamic-qint8", "static-qint8"))
    assert any("answers at random" in note for note in measured["fp32"].notes)
    for row in measured.values():
        assert row.status in MEASURED, row.reason
        assert row.packed_bytes, row.notes
        if row.technique != "fp32":
            assert row.output_error is not None
            assert row.output_error < 0.1, "two draws differ by the root of 2"
    drawn = rows(run_of("draws_when_traced", "static-qint8"))["static-qint8"]
    assert any("drew once, when it was traced" in note for note in drawn.notes)
    assert not drawn.output_fault, "two draws are no error"


@pytest.mark.slow
def test_a_compiled_model_is_measured_as_it_was_before() -> None:
    measured = rows(run_of("compiled", "dynamic-qint8", "static-qint8"))
    for row in measured.values():
        assert row.status in MEASURED, row.reason
        assert row.params == 4 * 8 + 8 + 8 * 3 + 3
    assert any("was given compiled" in note for note in measured["fp32"].notes)
    assert measured["dynamic-qint8"].output_error, "packed layers are called, and no program of before"
    run = bench.measure(kinds.compiled(), torch.rand(2, 4), techniques=["fp32"], **QUICK)
    assert [row.model for row in run.rows] == ["Sequential"]


@pytest.mark.slow
def test_a_tie_that_a_technique_breaks_is_in_the_report() -> None:
    run = bench.measure(kinds.TiedHead(), torch.arange(8).reshape(2, 4), techniques=["dynamic-fp16"], **QUICK)
    report = render([run])
    assert "breaks a tie: `embed.weight` = `head.weight`" in report
    assert "× larger |" in report
    assert " 86.2 % |" in report, "1,600 of 1,856 parameters"


@pytest.mark.slow
def test_an_evaluation_that_ends_the_process_is_named() -> None:
    failed = rows(run_of("linear", "fp32", evaluate="ends_the_process"))["fp32"]
    assert failed.status == "failed"
    assert failed.reason == "the process ended with code 3, while ends_the_process() of kinds.py judged it"


@pytest.mark.slow
def test_a_runtime_that_draws_by_itself_is_not_compared() -> None:
    pytest.importorskip("onnxruntime")
    run = run_of("follows_a_draw", "fp32", runtimes=["onnxruntime"])
    [row] = [row for row in run.rows if row.runtime == "onnxruntime"]
    assert row.status in MEASURED, row.reason
    assert any("draws by itself" in note for note in row.notes)
    assert row.output_error is None
    assert not row.output_fault
