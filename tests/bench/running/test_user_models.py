"""A user's own model, the whole way: each technique gives a row or a reason."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.core.errors import CheckpointError, RunFileError, UserModelError
from bench.report.markdown import render
from bench.results import run_file
from bench.results.row import Accuracy, Row
from bench.results.run import Run
from bench.running.suites import LAB_TECHNIQUES
from bench.storage.packed import Origin, load_user_model, pack
from bench.techniques.base import TECHNIQUES, Context
from tests.bench import nets
from tests.bench.conftest import Command

NETS = Path(nets.__file__)
QUICK: dict[str, Any] = {"batch_sizes": [2], "runs": 1, "precision": 0.9, "progress": False}  # any machine reaches it
MEASURED = ("ok", "noisy")


def measure(model: nn.Module, inputs: object, *techniques: str, **options: Any) -> dict[str, Row]:
    run = bench.measure(model, inputs, techniques=techniques, **(QUICK | options))  # type: ignore[arg-type]
    return {row.technique: row for row in run.rows}


def require_figures(rows: dict[str, Row]) -> None:
    """What every row has that was measured."""
    for row in rows.values():
        if row.status in MEASURED:
            assert row.latency[2].rounds_s
            assert row.size_bytes
            assert row.packed_bytes, "rebuilt in a fresh process"
            assert row.peak_memory_bytes is not None
            assert (row.output_error is None) == (row.technique == "fp32")
            assert row.technique == "fp32" or row.speedup.keys() == row.latency.keys()
        else:
            assert row.reason


# What is tested


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resnet18")


@pytest.mark.slow
def test_resnet18_by_the_command(command: Command, by_command: Path) -> None:
    options = "--batch 2 --runs 1 --precision 90% --technique dorefa:w2a2 --out"
    names = [f"--technique={name}" for name in LAB_TECHNIQUES if name != "fp16"]  # seconds a call on many CPUs
    parts = {"model": "resnet18", "inputs": "images", "evaluate": "seven_of_ten", "calibrate": "more_images"}
    named = [f"--{option}={NETS}:{name}" for option, name in parts.items()]
    code, out, err = command("run", *named, *names, *options.split(), str(by_command))
    assert code == 0, err
    assert "nets.py, inputs: float32 [batch, 3, 32, 32], as given by images() of nets.py; " in out
    assert "accuracy as nets.py:seven_of_ten returned it; latency of one call on cpu" in out
    run = bench.load_run(by_command / "run.json")
    assert run.finished
    assert (run.settings.suite, run.settings.models) == ("own", ["nets/resnet18"])
    assert (run.settings.inputs, run.settings.calibrate) == ("nets.py:images", "nets.py:more_images")
    assert (run.data[0].kind, run.data[0].test_examples, run.trainings) == ("own", None, [])
    rows = {row.technique: row for row in run.rows}
    require_figures(rows)
    assert {row.technique for row in run.rows if row.status not in MEASURED} == {"dorefa:w2a2"}
    assert "models of your own are measured as they are" in rows["dorefa:w2a2"].reason
    for row in run.rows:
        if row.status in MEASURED:
            assert row.accuracy == Accuracy(correct=7, total=10)
            assert row.agreement is None, "of single answers nothing is known"
            assert row.macs == rows["fp32"].macs
    fp32, static = rows["fp32"], rows["static-qint8"]
    assert fp32.params == 11_689_512, "as torchvision's documentation has it"
    assert fp32.layers is not None
    assert (fp32.layers.changed, fp32.layers.total) == (0, 21)
    assert static.layers is not None
    assert static.layers.changed == 21
    assert not any("calibrated on the example inputs" in note for note in static.notes)
    assert fp32.packed_bytes is not None
    assert static.packed_bytes is not None
    assert fp32.packed_bytes > 3.5 * static.packed_bytes
    assert any("not trained under autocast" in note for note in rows["amp"].notes)


@pytest.mark.slow
def test_its_report_says_what_is_not_known(command: Command, by_command: Path) -> None:
    text = (by_command / "report.md").read_text(encoding="utf-8")
    on_the_terminal = render([bench.load_run(by_command / "run.json")], pictures=False)
    assert command("report", str(by_command / "run.json")) == (0, on_the_terminal, "")
    assert text.startswith("# Quantbench: own on ")
    assert "accuracy: not comparable, how many examples were answered right is known, and not which" in text
    assert "off fp32's on the example inputs (root mean square)" in text
    assert "Calibrated on: nets.py:more_images." in text
    assert "## Training" not in text


@pytest.mark.slow
def test_mobilenet_v2_from_a_program() -> None:
    torch.manual_seed(0)
    model = nets.mobilenet_v2().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows = measure(model, torch.rand(1, 3, 32, 32))
    assert list(rows) == list(LAB_TECHNIQUES)
    require_figures(rows)
    assert rows["fp32"].params == 3_504_872, "as torchvision's documentation has it"
    assert rows["fp32"].accuracy is None
    assert rows["dynamic-fp16"].output_error is not None
    assert 0 < rows["dynamic-fp16"].output_error < 0.01, "the last layer's weights, to 11 bits each"
    assert any("calibrated on the example inputs" in note for note in rows["static-qint8"].notes)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "it stays as it is"


def test_an_lstm_that_returns_its_state() -> None:
    rows = measure(nets.Tagger(), nets.sentences(), *LAB_TECHNIQUES, "range-linear:w8a8", evaluate=nets.share_of_tags)
    require_figures(rows)
    fp32, int8 = rows["fp32"], rows["dynamic-qint8"]
    assert fp32.params == 50 * 8 + 4 * 16 * (8 + 16 + 2) + 16 * 4 + 4
    assert fp32.macs is None, "torch's LSTM does not say what it multiplies"
    assert fp32.accuracy is None
    assert fp32.accuracy_share is not None
    assert 0 <= fp32.accuracy_share <= 1
    assert (int8.status in MEASURED, int8.layers and int8.layers.changed) == (True, 1)
    assert rows["range-linear:w8a8"].simulated


def test_a_transformer_encoder_of_two_inputs() -> None:
    rows = measure(nets.Encoder(), nets.words_and_weights, *LAB_TECHNIQUES, "range-linear:w8a8")
    require_figures(rows)
    assert rows["fp32"].macs is not None
    # Each layer: four projections, attention, two Linears; the head once.
    assert rows["fp32"].macs == 2 * (6 * 4 * 16 * 16 + 2 * 6 * 6 * 16 + 6 * 2 * 16 * 32) + 16 * 3
    for name in ("dynamic-qint8", "range-linear:w8a8"):
        assert any("fused operator" in note for note in rows[name].notes), name
        assert rows[name].layers is not None
    assert rows["dynamic-qint8"].status in MEASURED


# A row or a reason


def test_where_fx_stops_is_named() -> None:
    row = measure(nets.Branching(), torch.rand(2, 4), "static-qint8")["static-qint8"]
    number = next(n for n, line in enumerate(NETS.read_text().splitlines(), 1) if "if outputs.sum() > 0" in line)
    assert row.status == "unsupported"
    assert row.reason.startswith(
        "FX cannot trace this model: TraceError: symbolically traced variables cannot be used as inputs to control "
        f"flow (nets.py, line {number}: `if outputs.sum() > 0:`)"
    )


def test_a_model_that_is_float32_alone_says_so() -> None:
    row = measure(nets.Float32Alone(), nets.fours, "fp16")["fp16"]
    assert row.status == "unsupported"
    assert row.reason.startswith("the model does not work as fp16: RuntimeError: ")
    assert "(nets.py, line " in row.reason


def test_a_technique_that_finds_nothing_is_no_row_of_float32_under_its_name() -> None:
    rows = measure(nn.Sequential(nn.BatchNorm1d(4)), torch.rand(2, 4), "dynamic-qint8", "static-qint8")
    assert rows["fp32"].status in MEASURED
    assert rows["dynamic-qint8"].reason.endswith("and this model has none")
    assert rows["static-qint8"].status == "unsupported"


def test_a_crash_is_a_row(command: Command, tmp_path: Path) -> None:
    named = [f"--model={NETS}:Treacherous", f"--inputs={NETS}:fours", "--technique=fp16", "--technique=bf16"]
    code, out, _ = command("run", *named, "--batch=2", "--runs=1", "--precision=90%", f"--out={tmp_path}")
    assert code == 1
    assert "failed" in out
    fp32, fp16, bf16 = bench.load_run(tmp_path / "run.json").rows
    assert (fp32.status in MEASURED, bf16.status in MEASURED) == (True, True)
    assert (fp16.status, fp16.latency) == ("failed", {})
    assert "the process died of SIGSEGV" in fp16.reason


def test_an_evaluation_that_fails_under_one_technique_is_its_row() -> None:
    class Doubtful(nn.Linear):  # stands in no module that a worker could import
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs) / (inputs.dtype == torch.float32)

    def accuracy(model: Callable[[Tensor], Tensor]) -> float:
        return float(model(torch.rand(3, 4)).isfinite().float().mean().log())

    rows = measure(Doubtful(4, 3), torch.rand(2, 4), "bf16", evaluate=lambda model: accuracy(model) + 1)
    assert rows["fp32"].accuracy_share == 1.0
    assert rows["bf16"].status == "failed"
    assert "evaluate returned -inf, which is not an accuracy, which it did not with fp32" in rows["bf16"].reason


# Several models, and taking up


@pytest.mark.slow
def test_a_run_of_two_models_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(NETS.read_text(), encoding="utf-8")

    def run() -> Run:
        named = [f"{tmp_path}/two.py:small", f"{tmp_path}/two.py:large"]
        inputs = f"{tmp_path}/two.py:fours"
        return bench.run(models=named, inputs=inputs, techniques=["fp32"], out=tmp_path / "out", **QUICK)

    whole = run()
    assert [(row.task, row.model, row.measured) for row in whole.rows] == [
        ("two", "small", True),
        ("two", "large", True),
    ]
    half = whole.model_copy(update={"finished": False, "rows": whole.rows[:1]})
    run_file.save(half, tmp_path / "out/run.json")
    again = run()
    assert again.rows[0] == whole.rows[0]
    assert again.rows[1].latency != whole.rows[1].latency, "measured anew"
    run_file.save(half, tmp_path / "out/run.json")
    with (tmp_path / "two.py").open("a") as file:
        file.write("WORDS = 51\n")
    with pytest.raises(RunFileError, match="unfinished run with other data"):
        run()
    assert json.loads((tmp_path / "out/run.json").read_text())["finished"] is False


# From a program


def test_no_package_hides_a_function_of_the_library() -> None:
    for name in bench.__all__:
        if name == "fleet":  # whose functions are ``bench.fleet.run`` and so on
            continue
        assert callable(getattr(bench, name))
        assert importlib.util.find_spec(f"bench.{name}") is None


def test_what_cannot_be_handed_to_a_process_is_a_sentence(tmp_path: Path) -> None:
    generator = (torch.rand(2, 4) for _ in range(2))
    with pytest.raises(
        UserModelError, match=r"^calibrate cannot be handed to worker processes \(TypeError: cannot pickle"
    ):
        bench.measure(nets.small(), torch.rand(2, 4), calibrate=generator, **QUICK)
    with pytest.raises(UserModelError, match=r"^model is a dict; give a torch\.nn\.Module\.$"):
        bench.measure({}, torch.rand(2, 4), **QUICK)  # type: ignore[arg-type]


# Its packed file


def test_a_packed_file_needs_what_builds_the_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = torch.rand(3, 4)
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: inputs)
    variant = TECHNIQUES.get("static-qint8").convert(nets.large().eval(), context)
    origin = Origin(model="nets/large", technique="static-qint8", engine="fbgemm", built_by="large() of nets.py")
    pack(variant.module, tmp_path / "packed", origin)
    with pytest.raises(CheckpointError, match=r"which only large\(\) of nets\.py can rebuild; give what that returns"):
        bench.load_packed(tmp_path / "packed")
    rebuilt = load_user_model(tmp_path / "packed", nets.large(), (inputs,))
    with torch.inference_mode():
        assert torch.equal(rebuilt.artifact.forward(inputs), variant.forward(inputs))
