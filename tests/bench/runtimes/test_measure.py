"""The whole way with a model of one's own: built once, loaded in every process that is timed, in one table."""

from __future__ import annotations

from typing import Any

import pytest

import bench
from bench.results.row import Row
from tests.bench.runtimes.sources import mlp, rows

pytest.importorskip("onnxruntime")


def agreeing(model: Any) -> tuple[int, int]:
    reference, inputs = mlp(), rows(mlp(), 50, seed=3)
    return int((model(inputs).argmax(1) == reference(inputs).argmax(1)).sum()), 50


@pytest.fixture(scope="module")
def measured() -> dict[str, Row]:
    run = bench.measure(
        mlp(),
        rows(mlp(), 8),
        techniques=["fp32", "static-qint8", "amp"],
        runtimes=["eager", "onnxruntime"],
        evaluate=agreeing,
        batch_sizes=2,
        runs=1,
        precision=0.9,
        progress=False,
    )
    assert run.settings.runtimes == ["eager", "onnxruntime"]
    return {str(row.key): row for row in run.rows}


@pytest.mark.slow
def test_runtimes_stand_in_one_run(measured: dict[str, Row]) -> None:
    assert list(measured) == [
        "fp32",
        "static-qint8",
        "amp",
        "fp32@onnxruntime",
        "static-qint8@onnxruntime",
        "amp@onnxruntime",
    ]
    assert measured["amp@onnxruntime"].status == "unsupported"
    assert "fp32, fp16, dynamic-qint8, static-qint8" in measured["amp@onnxruntime"].reason


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fp32@onnxruntime", "static-qint8@onnxruntime"])
def test_a_row_has_all_that_eagers_has(measured: dict[str, Row], name: str) -> None:
    row = measured[name]
    assert row.measured, row.reason
    assert row.accuracy is not None
    assert row.accuracy.correct >= 45
    assert row.size_bytes == row.deploy_bytes
    assert row.packed_bytes is None
    assert row.params == measured["fp32"].params
    assert row.peak_memory_bytes
    assert row.load_s is not None
    assert row.build_s is not None
    assert row.first_answer_s is not None
    assert row.output_error is not None
    assert row.output_error < 0.1
    assert len(row.latency[2].rounds_s) > 0
    assert row.speedup[2].value > 0


@pytest.mark.slow
def test_eagers_file_is_the_packed_one(measured: dict[str, Row]) -> None:
    for name in ("fp32", "static-qint8", "amp"):
        assert measured[name].deploy_bytes == measured[name].packed_bytes is not None
