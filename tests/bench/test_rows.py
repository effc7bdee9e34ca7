"""A failure is a row, and every other row stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UnsupportedError
from bench.progress import Bars
from bench.result import Row
from bench.rows import Subject, measure_model
from bench.techniques.technique import TECHNIQUES
from bench.variant import VariantRequest
from tests.bench.examples import SETTINGS


def subject(technique: str, obstacle: Exception | None = None) -> Subject:
    request = VariantRequest(
        task="mnist",
        model="lab1",
        technique=technique,
        dataset=Path("unused"),
        checkpoint=Path("unused"),
        device="cpu",
        engine="fbgemm",
        isa=frozenset(),
        threads=1,
    )
    return Subject(TECHNIQUES.get(technique), request, obstacle)


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    techniques = ["fp32", "fp16", "bf16", "dynamic-fp16", "dynamic-qint8", "amp"]
    subjects = [*map(subject, techniques), subject("static-qint8", UnsupportedError("there is no engine; try another"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.rows.VARIANT_HOST", "tests.bench.hosts:FakeVariant")
        measured = measure_model(subjects, SETTINGS, cores=2, bars=Bars(shown=False))
    assert [row.technique for row in measured] == [*techniques, "static-qint8"]
    return {row.technique: row for row in measured}


def test_a_variant_that_behaves_has_everything(rows: dict[str, Row]) -> None:
    row = rows["dynamic-qint8"]
    assert (row.status, row.scheme, row.dtype) == ("ok", "D", "qint8")
    assert row.accuracy is not None
    assert row.accuracy.correct == 9
    assert row.latency[64].rounds_s == [64.0] * 5
    assert row.latency[64].calls_per_block == 10
    assert (row.speedup[1].low, row.speedup[1].value, row.speedup[1].high) == (2.0, 2.0, 2.0)


def test_the_baseline_has_no_speedup_over_itself(rows: dict[str, Row]) -> None:
    assert rows["fp32"].latency.keys() == {1, 64}
    assert not rows["fp32"].speedup


@pytest.mark.parametrize(
    ("technique", "status", "reason"),
    [
        ("bf16", "failed", "the process died of SIGABRT"),
        ("fp16", "failed", "ValueError: the logits have shape (3,), not (3, classes)"),
        ("amp", "failed", "the process ended with code 9"),
        ("dynamic-fp16", "unsupported", "not on this example"),
        ("static-qint8", "unsupported", "there is no engine; try another"),
    ],
)
def test_what_went_wrong_is_the_rows_reason(rows: dict[str, Row], technique: str, status: str, reason: str) -> None:
    assert (rows[technique].status, rows[technique].reason) == (status, reason)


def test_a_crash_among_the_rounds_leaves_no_half_latency(rows: dict[str, Row]) -> None:
    assert rows["amp"].latency == {}
    assert rows["amp"].accuracy is not None, "what was measured before the crash stands"


def test_a_warm_up_that_did_not_settle_is_noted(rows: dict[str, Row]) -> None:
    assert "the warm-up did not settle at batch 1 and 64" in rows["dynamic-qint8"].notes
    assert rows["fp32"].notes == ["an example"]
