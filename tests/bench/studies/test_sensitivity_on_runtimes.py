"""Studies whose layers a runtime's own quantizer leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bench
from bench.core.errors import RequestError
from bench.report.sensitivity import render
from bench.results.sensitivity import Change, Sensitivity
from bench.runtimes.base import RUNTIMES
from bench.studies.sensitivity import study as module
from bench.studies.sensitivity.study import sensitivity
from tests.bench.conftest import Command
from tests.bench.studies.conftest import MODEL

QUICK: dict[str, Any] = {"batch_sizes": [1], "runs": 1, "precision": 0.9, "spread_s": 0.0, "progress": False}
SYNTHETIC: dict[str, Any] = {"data": "synthetic", "epochs": 1}


def require(runtime: str) -> None:
    if reason := RUNTIMES.get(runtime).missing():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def onnx(shared_cache: Path) -> Sensitivity:
    """Study static int8 on ONNX Runtime, and find a mixture."""
    require("onnxruntime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        return sensitivity(MODEL, "static-qint8", runtime="onnxruntime", max_drop_pp=20.0, **QUICK, **SYNTHETIC)


@pytest.mark.slow
def test_each_layer_alone_is_a_row_of_the_runtime_beside_fp32_on_both(onnx: Sensitivity) -> None:
    first, last = "mixed:layers.0=static-qint8", "mixed:layers.2=static-qint8"
    names = ["fp32", "static-qint8", first, last]
    assert [str(row.key) for row in onnx.run.rows] == ["fp32", *(f"{name}@onnxruntime" for name in names)]
    assert {(layer.layer, layer.only, layer.others) for layer in onnx.layers} == {
        ("layers.0", first, last),
        ("layers.2", last, first),
    }
    int8 = [row.int8_operations for row in onnx.run.rows]
    assert [None if counts is None else counts.float_products for counts in int8] == [None, None, 0, 1, 1]


@pytest.mark.slow
def test_every_row_is_measured_and_held_against_fp32_on_eager(onnx: Sensitivity) -> None:
    rows = {row.technique: row for row in onnx.run.rows if row.runtime == "onnxruntime"}
    for row in rows.values():
        assert row.measured, row.reason
        assert row.deploy_bytes
        assert row.speedup.keys() == {1}
    for layer in onnx.layers:
        assert layer.only_change == Change.of_row(rows[layer.only])
    sizes = [rows[name].deploy_bytes or 0 for name in ("static-qint8", *(layer.only for layer in onnx.layers), "fp32")]
    assert sizes[0] < min(sizes[1:3])
    assert max(sizes[1:3]) < sizes[3]


@pytest.mark.slow
def test_the_recommended_mixture_is_the_runtimes_too(onnx: Sensitivity) -> None:
    found = onnx.recommendation
    assert found is not None
    assert found.technique != "fp32"
    assert onnx.key(found.technique) in {row.key for row in found.run.rows}
    assert [step.technique for step in found.steps][:1] == ["mixed:*=static-qint8"], "what lies between stays float32"
    assert all(step.packed_bytes for step in found.steps)


@pytest.mark.slow
def test_the_file_and_the_page_say_the_runtime(onnx: Sensitivity) -> None:
    assert onnx.runtime == "onnxruntime"
    assert Sensitivity.model_validate_json(onnx.model_dump_json()) == onnx
    text = render(onnx)
    assert text.startswith(f"# Sensitivity of {MODEL} on onnxruntime, ")
    for part in ("| none, on eager |", "File (kB)", "quantize_static", "@onnxruntime` **recommended**"):
        assert part in text
    assert "Packed" not in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--runtime onnx", "there is no runtime 'onnx'; choose from eager, executorch"),
        (
            "--runtime openvino --technique static-qint8",
            "static-qint8 cannot be confined to layers on openvino: OpenVINO 2026.4 computes some graphs",
        ),
        ("--runtime executorch --technique static-qint8", "; choose --runtime eager, inductor, onnxruntime."),
        ("--runtime onnxruntime --technique range-linear:w4a4", "; choose --runtime eager."),
        (
            "--runtime onnxruntime --technique dynamic-qint8 --technique range-linear:w4 --recommend",
            "--recommend cannot mix dynamic-qint8, range-linear:w4a32 on onnxruntime: a mixture is of one technique",
        ),
    ],
)
def test_what_a_runtime_cannot_is_a_sentence_before_data_are_loaded(
    command: Command, arguments: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("the data source was touched")

    monkeypatch.setattr(module, "studied_model", touched)
    code, out, err = command("sensitivity", MODEL, *arguments.split(), "--data=synthetic", f"--out={tmp_path}")
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_runtime_that_is_not_installed_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RUNTIMES.get("onnxruntime"), "missing", lambda: "onnxruntime is not installed; pip install it")
    with pytest.raises(RequestError, match=r"onnxruntime cannot be had here: onnxruntime is not installed; pip"):
        sensitivity(MODEL, "static-qint8", runtime="onnxruntime", **QUICK, **SYNTHETIC)


def always_right(model: Any) -> tuple[int, int]:
    model(torch.rand(4, 16))
    return 200, 200


@pytest.mark.slow
def test_of_a_model_of_ones_own_the_smallest_file_is_recommended() -> None:
    """Which is fp32's here: the code that Inductor compiles outweighs so few weights."""
    require("inductor")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))
    parts: dict[str, Any] = {"inputs": torch.rand(4, 16), "evaluate": always_right}
    study = bench.sensitivity(model, "static-qint8", runtime="inductor", max_drop_pp=1.0, **parts, **QUICK)
    assert {row.status for row in study.run.rows} <= {"ok", "noisy"}
    assert len(study.run.rows) == 3 + 2 * 3
    errors = [layer.only_error for layer in study.layers]
    assert None not in errors
    assert study.recommendation is not None
    sizes = {row.technique: row.deploy_bytes or 0 for row in study.run.rows if row.runtime == "inductor"}
    assert study.recommendation.technique == min(sizes, key=lambda technique: sizes[technique])
