"""A failure is a row, and every other row stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import CheckpointError, UnsupportedError
from bench.results.row import Row
from bench.running.rows import tally
from tests.bench.running.fake_models import FP32, OTHER, PLANTED, QUICK, fakes, made, variant


def made_with(folder: Path, plant: str) -> Row:
    """Return the row in which ``plant`` went wrong, having checked that the rows beside it stand."""
    variants = [variant(folder, FP32), variant(folder, PLANTED, plant), variant(folder, OTHER)]
    with fakes():
        made(variants)
    assert all(one.worker is None for one in variants), "no process is left"
    fp32, planted, other = (one.row() for one in variants)
    for row in (fp32, other):
        assert (row.status, row.reason) == ("ok", "")
        assert (row.size_bytes, row.packed_bytes) == (100, 50)
        assert row.accuracy is not None
    return planted


def test_a_variant_that_behaves_has_everything_but_latencies(tmp_path: Path) -> None:
    row = made_with(tmp_path, "none")
    assert (row.status, row.scheme, row.dtype) == ("ok", "--", "bfloat16")
    assert (row.size_bytes, row.packed_bytes, row.bytes_by_dtype) == (100, 50, {"float32": 40})
    assert (row.params, row.macs) == (10, 8)
    assert row.accuracy is not None
    assert row.accuracy.correct == 9
    assert row.agreement is not None
    assert (row.agreement.same, row.agreement.lost, row.agreement.gained, row.agreement.p_value) == (8, 1, 1, 1.0)
    assert row.notes == ["an example"]
    assert (row.latency, row.speedup) == ({}, {})


def test_the_baseline_does_not_agree_with_itself(tmp_path: Path) -> None:
    one = variant(tmp_path, FP32)
    with fakes():
        made([one])
    assert one.row().agreement is None


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("build: die SIGSEGV", "the process died of SIGSEGV"),
        ("build: die SIGABRT", "the process died of SIGABRT"),
        ("build: die SIGKILL", "died of SIGKILL, which is how a system that runs out of memory ends a process"),
        ("build: stumble", "ZeroDivisionError: division by zero"),
        ("build: exhaust", "it ran out of memory (MemoryError)"),
        ("build: exhaust_torch", "it ran out of memory ("),
    ],
)
def test_a_variant_that_cannot_be_built_is_a_row_with_the_reason(tmp_path: Path, plant: str, reason: str) -> None:
    row = made_with(tmp_path, plant)
    assert row.status == "failed"
    assert reason in row.reason
    assert (row.size_bytes, row.packed_bytes, row.accuracy) == (None, None, None)


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("evaluate: NaN", "ValueError: the logits are not finite numbers (NaN or infinity)"),
        ("evaluate: wrong shape", "ValueError: the logits have shape (3,), not (3, classes)"),
        ("evaluate: None", "ValueError: the model returned NoneType, not a tensor of logits"),
    ],
)
def test_answers_that_are_none_are_no_accuracy(tmp_path: Path, plant: str, reason: str) -> None:
    row = made_with(tmp_path, plant)
    assert (row.status, row.reason) == ("failed", reason)
    assert (row.accuracy, row.agreement) == (None, None)
    assert row.packed_bytes == 50, "what was measured before stands"


@pytest.mark.parametrize("plant", ["build: hang", "evaluate: hang"])
def test_a_hang_is_ended_while_others_go_on(tmp_path: Path, plant: str) -> None:
    row = made_with(tmp_path, plant)
    assert (row.status, row.reason) == ("failed", "it hung: no sign of life for 0.5 s, so its process was ended")


@pytest.mark.parametrize(
    ("plant", "note"),
    [
        ("verify: other logits", "no packed size: its file reloads to other logits"),
        ("verify: die SIGSEGV", "no packed size: its file cannot be reloaded (the process died of SIGSEGV)"),
        ("verify: refuse", "no packed size: its file cannot be reloaded (this model has no Linear layers)"),
        (
            "verify: damaged",
            "no packed size: its file cannot be reloaded (the packed file is damaged; pack the variant again)",
        ),
    ],
)
def test_a_packed_file_that_is_not_the_variant_has_no_size(tmp_path: Path, plant: str, note: str) -> None:
    row = made_with(tmp_path, plant)
    assert row.status == "ok", "the variant itself is measured"
    assert (row.packed_bytes, row.bytes_by_dtype) == (None, {})
    assert note in row.notes
    assert row.size_bytes == 100


@pytest.mark.parametrize(
    ("unsupported_reason", "status"),
    [(UnsupportedError("there is no engine; try another"), "unsupported"), (ValueError("the loss is nan"), "failed")],
)
def test_what_is_known_not_to_work_is_not_tried(tmp_path: Path, unsupported_reason: Exception, status: str) -> None:
    variants = [variant(tmp_path, FP32), variant(tmp_path, OTHER, "build: die SIGSEGV", unsupported_reason)]
    with fakes():
        made(variants)
    row = variants[1].row()
    assert (row.status, row.reason) == (status, str(unsupported_reason))


def test_a_variant_that_refuses_is_unsupported(tmp_path: Path) -> None:
    row = made_with(tmp_path, "build: refuse")
    assert (row.status, row.reason) == ("unsupported", "this model has no Linear layers")


def test_a_damaged_checkpoint_concerns_all_and_stops_the_run(tmp_path: Path) -> None:
    variants = [
        variant(tmp_path, OTHER),
        variant(tmp_path, FP32, unsupported_reason=CheckpointError("it is damaged")),
    ]
    with fakes(), pytest.raises(CheckpointError):
        made(variants)
    assert all(one.worker is None for one in variants), "no process is left"


def test_rows_are_counted_by_status(tmp_path: Path) -> None:
    variants = [
        variant(tmp_path, FP32),
        variant(tmp_path, PLANTED, "build: refuse"),
        variant(tmp_path, OTHER, "build: stumble"),
    ]
    with fakes():
        made(variants, QUICK)
    assert tally([one.row() for one in variants]) == "1 ok, 1 unsupported, 1 failed"
