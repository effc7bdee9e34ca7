"""Folders that run a variant without quantbench, by the runtimes themselves."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.core.errors import QuantbenchError, RequestError, WorkerError
from bench.report.command import export_command
from bench.running import one_variant
from bench.runtimes.base import RUNTIMES
from bench.runtimes.deployment import save_example
from bench.storage.packed import load_user_model
from bench.studies.export import export
from bench.worker.process import Worker
from tests.bench import nets
from tests.bench.conftest import Command
from tests.bench.studies.conftest import MODEL, OPTIONS, QUICK

NETS = Path(nets.__file__)


def require(runtime: str) -> None:
    if reason := RUNTIMES.get(runtime).missing():
        pytest.skip(reason)


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def answered(folder: Path, *arguments: str) -> str:
    """Run the program from elsewhere, as a user would who has no quantbench."""
    command = [sys.executable, "-I", str(folder / "predict.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=folder.parent)
    return done.stdout


def numbers_in(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export static int8 for ONNX Runtime."""
    require("onnxruntime")
    folder = tmp_path_factory.mktemp("export") / "deploy" / "lab1"
    facts = export(MODEL, folder, "static-qint8", runtime="onnxruntime", **QUICK)
    assert facts.deploy_bytes == (folder / "model.onnx").stat().st_size
    return folder


def test_an_exported_folder_answers_without_quantbench(onnx: Path) -> None:
    assert contents(onnx) == {"model.onnx", "predict.py", "example.npz", "README.md"}
    example = np.load(onnx / "example.npz")
    assert numbers_in(answered(onnx)) == pytest.approx(example["output0"].reshape(-1), rel=1e-5, abs=1e-5)
    text = (onnx / "predict.py").read_text(encoding="utf-8")
    assert "torch" not in text
    assert "import bench" not in text
    assert len(text.splitlines()) <= 20


def test_it_answers_inputs_of_ones_own_as_the_onnx_file_does(onnx: Path, tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).random((3, 784), np.float32)
    np.save(tmp_path / "mine.npy", inputs)
    session = onnxruntime_session(onnx / "model.onnx")
    [expected] = session.run(None, {session.get_inputs()[0].name: inputs})
    text = answered(onnx, str(tmp_path / "mine.npy"))
    assert numbers_in(text) == pytest.approx(expected.reshape(-1), rel=1e-5, abs=1e-5)


def onnxruntime_session(path: Path) -> Any:
    return importlib.import_module("onnxruntime").InferenceSession(str(path))


def test_the_readme_says_what_it_is_and_what_it_was_verified_with(onnx: Path) -> None:
    text = (onnx / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {MODEL} as static-qint8 on onnxruntime\n")
    for part in ("accuracy", "on the 1,000 examples", f"onnxruntime=={version('onnxruntime')}", "float32 [batch, 784]"):
        assert part in text
    assert "quantized by ONNX Runtime" in text
    assert "for 1 thread" in text


def test_another_export_takes_the_place_of_an_earlier_one(onnx: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    shutil.copytree(onnx, folder)
    export(MODEL, folder, "static-qint8", runtime="eager", **QUICK)
    assert contents(folder) == {"model.pt", "predict.py", "example.npz", "README.md"}
    assert contents(tmp_path) == {"deploy"}, "nothing is left beside it"


def test_a_folder_with_other_files_is_left_alone(onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("mine", encoding="utf-8")
    with pytest.raises(RequestError, match=r"holds other files \(model.onnx\); name another folder"):
        export(MODEL, tmp_path, "fp32", runtime="onnxruntime", **QUICK)
    with pytest.raises(RequestError, match="is a file; name a folder for --out"):
        export(MODEL, tmp_path / "model.onnx", "fp32", runtime="onnxruntime", **QUICK)


def test_answers_that_differ_are_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = Worker.call

    def changed(worker: Worker, method: str, *args: Any) -> Any:
        outcome = call(worker, method, *args)
        if method == "deploy":
            save_example(args[2], [np.zeros((1, 784), np.float32)], [np.zeros((1, 10), np.float32)])
        return outcome

    monkeypatch.setattr(Worker, "call", changed)
    with pytest.raises(WorkerError, match="other answers than the variant"):
        export(MODEL, tmp_path / "deploy", "fp32", runtime="onnxruntime", **QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runtime": "onnx"}, "there is no runtime 'onnx'"),
        ({"runtime": "openvino", "technique": "dynamic-qint8"}, "dynamic-qint8@openvino cannot be had here"),
        ({"runtime": "onnxruntime", "technique": "dorefa:w2a2"}, "dorefa:w2a2@onnxruntime cannot be had here"),
        ({"runtime": "onnxruntime", "device": "cuda"}, "are for the CPU, not for cuda"),
        ({"threads": 4096}, "--threads 4096"),
        ({"engine": "none"}, "no quantized engine 'none'"),
        ({"model": "lab1"}, "is a model of several tasks; choose mnist/lab1, sst2/lab1"),
        ({"inputs": f"{NETS}:fours"}, "--inputs belongs to a model of your own"),
        ({"model": f"{NETS}:large", "inputs": f"{NETS}:fours"}, "--epochs is for supplied models"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    request: dict[str, Any] = {"model": MODEL, "path": tmp_path / "deploy", "technique": "fp32"} | QUICK | changes
    with pytest.raises(QuantbenchError, match=re.escape(message)):
        export(**request)
    assert not list(tmp_path.iterdir())


OWN: dict[str, Any] = {"model": f"{NETS}:large", "inputs": f"{NETS}:fours", "progress": False}


@pytest.mark.parametrize("request_of", [{"model": MODEL} | QUICK, OWN], ids=["a task's", "one's own"])
def test_a_technique_that_the_runtime_lacks_is_refused_before_data_are_loaded(
    request_of: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*_: object, **__: object) -> None:
        raise AssertionError("the data source was touched")

    for name in ("load_datasets", "prepare_user_models", "prepare_task_models"):
        monkeypatch.setattr(one_variant, name, touched)
    with pytest.raises(RequestError, match=r"/l\w+ as dynamic-qint8@openvino cannot be had here: OpenVINO quantizes"):
        export(**request_of, path=tmp_path / "deploy", technique="dynamic-qint8", runtime="openvino")
    assert not list(tmp_path.iterdir())


def test_a_model_of_ones_own_is_exported_to_a_runtime(tmp_path: Path) -> None:
    require("openvino")
    export(**OWN, path=tmp_path / "deploy", technique="static-qint8", runtime="openvino")
    assert "model.xml" in contents(tmp_path / "deploy")
    text = (tmp_path / "deploy" / "README.md").read_text(encoding="utf-8")
    assert "nets/large as static-qint8 on openvino" in text
    assert "accuracy not judged" in text
    assert "calibrated on the example inputs" in text


@pytest.mark.slow
def test_several_inputs_and_a_dataclass_of_outputs_are_arrays(tmp_path: Path) -> None:
    parts = {"model": f"{NETS}:Encoder", "inputs": f"{NETS}:words_and_weights"}
    export(**(OWN | parts), path=tmp_path / "deploy", technique="fp32", runtime="eager")
    example = np.load(tmp_path / "deploy" / "example.npz")
    expected = np.concatenate([example[name].reshape(-1) for name in example if name.startswith("output")])
    assert numbers_in(answered(tmp_path / "deploy")) == pytest.approx(expected, rel=1e-4, abs=1e-4), "but for rounding"
    text = (tmp_path / "deploy" / "predict.py").read_text(encoding="utf-8")
    assert "INPUTS.npz" in text
    assert len(text.splitlines()) <= 20


def test_the_packed_file_of_ones_own_model_is_exported_too(tmp_path: Path) -> None:
    export(**OWN, path=tmp_path / "large.packed", technique="bf16")
    loaded = load_user_model(tmp_path / "large.packed", nets.large(), (nets.fours(1),))
    assert loaded.origin.built_by == "large() of nets.py"


def test_a_technique_that_trains_is_not_for_a_model_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="models of your own are measured as they are"):
        export(**OWN, path=tmp_path / "large.packed", technique="dorefa:w2a2")


def test_the_command_says_where_the_program_is(command: Command, tmp_path: Path) -> None:
    require("onnxruntime")
    out = str(tmp_path / "deploy")
    code, shown, _ = command("export", MODEL, "--technique", "fp32", "--runtime", "onnxruntime", *OPTIONS, "--out", out)
    assert code == 0
    assert "kB for onnxruntime; predict.py runs it without quantbench" in shown


@pytest.mark.slow
def test_the_command_of_a_run_exports_what_was_measured(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("onnxruntime")
    monkeypatch.chdir(tmp_path)
    measured: dict[str, Any] = {"batch_sizes": [8], "precision": 0.9, "spread_s": 0.0, "seed": 3}
    run = bench.run("lab", models=MODEL, techniques="static-qint8", runtimes="onnxruntime", **QUICK, **measured)
    [row] = [row for row in run.rows if row.runtime == "onnxruntime"]
    assert row.accuracy is not None
    words = shlex.split(export_command(run, row))
    code, shown, err = command(*words[1:])
    assert code == 0, err
    folder = Path(words[-1])
    assert f"{(row.deploy_bytes or 0) / 1e3:,.1f} kB" in shown
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert (
        f"accuracy {100 * row.accuracy.correct / row.accuracy.total:.2f} % on the {row.accuracy.total:,} examples"
        in text
    )
