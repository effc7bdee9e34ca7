"""The fixture ``quantbench``, in sessions of pytest of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch

import bench.pytest_plugin.plugin
from bench.measuring import machine
from bench.results.quantized_engine import default_engine
from tests.bench.pytest_plugin.conftest import HEAD, PLUGIN, QUICK, Session
from tests.bench.test_import_cost import modules_after
from tests.repository import ROOT


def test_extra_info_carries_what_is_known_of_a_variant(noted: Callable[[str], dict[str, Any]]) -> None:
    info = noted(
        "def test_it(quantbench):\n"
        "    info = quantbench(build(), INPUTS, technique='dynamic-qint8', batch_size=8, evaluate=right, name='mine')\n"
        "    assert info.params == 32 * 16 + 16 + 16 * 4 + 4\n"
    )
    assert (info["task"], info["model"], info["technique"]) == ("own", "mine", "dynamic-qint8")
    assert (info["scheme"], info["dtype"], info["batch_size"]) == ("D", "qint8", 8)
    assert (info["threads"], info["device"], info["engine"]) == (1, "cpu", default_engine(machine.describe()))
    assert info["params"] == 596
    assert info["layers"] == {"changed": 2, "total": 2}
    assert info["accuracy"] == info["correct"] / info["total"]
    assert info["total"] == 20
    assert info["packed_bytes"] < info["size_bytes"]
    assert info["warm_up_s"]
    assert any("reduce_range" in note for note in info["notes"])


def test_a_model_is_called_by_its_class_and_its_batch_is_all_inputs(noted: Callable[[str], dict[str, Any]]) -> None:
    info = noted("def test_it(quantbench):\n    quantbench(build(), INPUTS)\n")
    assert (info["model"], info["technique"], info["batch_size"]) == ("Sequential", "fp32", 20)
    assert (info["accuracy"], info["correct"], info["total"]) == (None, None, None)


def test_a_batch_larger_than_the_inputs_repeats_them(noted: Callable[[str], dict[str, Any]]) -> None:
    code = """
class Watch(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 2)

    def forward(self, inputs):
        assert len(inputs) == 23 and torch.equal(inputs[20:], INPUTS[:3])
        return self.layer(inputs)


def test_it(quantbench):
    quantbench(Watch(), INPUTS, batch_size=23)
"""
    assert noted(code)["batch_size"] == 23


def test_a_share_alone_is_an_accuracy_too(noted: Callable[[str], dict[str, Any]]) -> None:
    info = noted("def test_it(quantbench):\n    quantbench(build(), INPUTS, evaluate=lambda p: torch.tensor(0.75))\n")
    assert (info["accuracy"], info["correct"], info["total"]) == (0.75, None, None)


def test_ranges_observed_on_the_example_inputs_are_noted(session: Session) -> None:
    code = """
def test_it(quantbench):
    info = quantbench(build(), INPUTS, technique='static-qint8')
    assert any("calibrated on the example inputs" in note for note in info.notes)


@pytest.mark.parametrize("calibrate", [2 * INPUTS, [INPUTS, 2 * INPUTS]])
def test_other(quantbench, calibrate):
    info = quantbench(build(), INPUTS, technique='static-qint8', calibrate=calibrate)
    assert not any("calibrated on the example inputs" in note for note in info.notes)
"""
    session(code, "--benchmark-disable").assert_outcomes(passed=3)


def test_a_model_may_take_several_tensors_and_return_what_holds_some(session: Session) -> None:
    code = """
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 2)

    def forward(self, ids, weights):
        assert ids.dtype == torch.long
        return {"logits": self.layer(weights * ids[:, None])}


def right(model):
    logits = model(torch.arange(7), torch.rand(7, 32))["logits"]
    assert logits.dtype == torch.float32
    return (logits.argmax(1) >= 0).sum(), 7


@pytest.mark.parametrize("technique", ["bf16", "dynamic-qint8"])
def test_it(quantbench, technique):
    inputs = torch.arange(5), torch.rand(5, 32)
    info = quantbench(Two(), inputs, technique=technique, batch_size=6, evaluate=right)
    assert info.batch_size == 6 and info.correct == 7
"""
    session(code, *QUICK).assert_outcomes(passed=2)


def test_an_encoder_is_measured_as_bench_run_measures_it(session: Session) -> None:
    code = """
def test_it(quantbench):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
    before = torch.backends.mha.get_fastpath_enabled()
    info = quantbench(encoder, torch.rand(4, 5, 16), technique="dynamic-qint8")
    assert info.layers.changed and any("fused operator" in note for note in info.notes)
    assert torch.backends.mha.get_fastpath_enabled() == before
"""
    session(code, *QUICK).assert_outcomes(passed=1)


def test_what_only_a_technique_makes_a_model_stumble_over_is_skipped(session: Session) -> None:
    code = """
class Alone(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs @ torch.eye(32))


def test_it(quantbench):
    quantbench(Alone(32, 2), INPUTS, technique="bf16")


def test_nothing_to_treat(quantbench):
    quantbench(nn.BatchNorm1d(32), INPUTS, technique="range-linear:w4")


def test_the_models_own_fault(quantbench):
    quantbench(nn.Linear(31, 2), INPUTS, technique="bf16")
"""
    result = session(code, "-rs", "--benchmark-disable", "-W", "ignore")
    result.assert_outcomes(skipped=2, failed=1)
    result.stdout.fnmatch_lines(["*bf16: the model does not work as bf16: RuntimeError: expected m1 and m2 to have*"])
    result.stdout.fnmatch_lines(["*RuntimeError: mat1 and mat2 shapes cannot be multiplied*"])


@pytest.mark.skipif(not (find_spec("onnxruntime") and find_spec("onnxscript")), reason="ONNX Runtime is not installed")
def test_a_runtime_executes_its_own_file(pytester: pytest.Pytester) -> None:
    """In a process of its own: exporters that are forgotten and imported again do not know their own classes."""
    code = """
@pytest.mark.parametrize("runtime", ["eager", "onnxruntime"])
@pytest.mark.parametrize("technique", ["fp32", "static-qint8"])
def test_it(quantbench, technique, runtime):
    info = quantbench(build(), INPUTS, technique=technique, runtime=runtime, evaluate=right, name="mine")
    assert info.correct >= 17
    assert (info.layers is None) == (runtime != "eager")
"""
    pytester.makepyfile(HEAD + code)
    pytester.runpytest_subprocess(*PLUGIN, *QUICK, "--benchmark-json=out.json").assert_outcomes(passed=4)
    run = bench.load_run(pytester.path / "out.json")
    keys = [str(row.key) for row in run.rows]
    assert keys == ["fp32", "fp32@onnxruntime", "static-qint8", "static-qint8@onnxruntime"]
    assert run.settings.runtimes == ["eager", "onnxruntime"]
    assert all(row.speedup for row in run.rows[1:])


def test_what_a_runtime_does_not_have_is_skipped_and_an_unknown_one_fails(session: Session) -> None:
    code = "def test_it(quantbench):\n    quantbench(build(), INPUTS, technique='amp', runtime='onnxruntime')\n"
    result = session(code, "-rs", "-W", "ignore")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*amp@onnxruntime: quantbench makes ONNX files as *"])
    result = session(
        "def test_it(quantbench):\n    quantbench(build(), INPUTS, runtime='onnxruntimes')\n", "-W", "ignore"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no runtime 'onnxruntimes'; did you mean 'onnxruntime'*"])


def test_a_second_call_in_one_test_is_refused_with_a_sentence(session: Session) -> None:
    code = "def test_it(quantbench):\n    for name in 'ab':\n        quantbench(build(), INPUTS, name=name)\n"
    result = session(code, *QUICK)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*quantbench(…) was called before in this test*use pytest.mark.parametrize."])


def test_what_evaluate_does_to_the_model_and_to_torch_is_not_timed(session: Session) -> None:
    code = """
class Watch(nn.Linear):
    def forward(self, inputs):
        assert not self.training and torch.get_num_threads() == 1
        return super().forward(inputs)


def spoil(model):
    model.train()
    torch.set_num_threads(2)
    return 0.5


def test_it(quantbench):
    quantbench(Watch(32, 2), INPUTS, evaluate=spoil)
"""
    threads = torch.get_num_threads()
    try:
        session(code, *QUICK).assert_outcomes(passed=1)
    finally:
        torch.set_num_threads(threads)


def test_the_model_and_torch_are_left_as_they_were(session: Session) -> None:
    code = """
def test_it(quantbench):
    model = build().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.set_num_threads(2)
    engine = torch.backends.quantized.engine
    quantbench(model, INPUTS, technique="static-qint8", threads=1)
    assert model.training and type(model[0]) is nn.Linear
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.get_num_threads() == 2 and torch.backends.quantized.engine == engine
    assert not torch.is_inference_mode_enabled()
"""
    threads = torch.get_num_threads()
    try:
        session(code, "--benchmark-disable").assert_outcomes(passed=1)
    finally:
        torch.set_num_threads(threads)


def test_a_variant_runs_in_inference_mode_with_the_threads_asked_for(session: Session) -> None:
    code = """
class Watch(nn.Linear):
    def forward(self, inputs):
        assert torch.is_inference_mode_enabled() and torch.get_num_threads() == 1 and not self.training
        return super().forward(inputs)


def test_it(quantbench):
    quantbench(Watch(32, 2), INPUTS)
"""
    session(code, *QUICK).assert_outcomes(passed=1)


def test_disabled_benchmarks_call_the_model_a_few_times_and_check_it_all_the_same(session: Session) -> None:
    code = """
class Watch(nn.Linear):
    calls = 0

    def forward(self, inputs):
        Watch.calls += 1
        return super().forward(inputs)


def test_it(quantbench):
    quantbench(Watch(32, 2), INPUTS)
    assert Watch.calls == 2  # once to see that it runs, once as the benchmark
"""
    session(code, "--benchmark-disable").assert_outcomes(passed=1)


def test_what_a_technique_cannot_treat_is_skipped_with_the_reason(session: Session) -> None:
    code = "def test_it(quantbench):\n    quantbench(nn.ReLU(), INPUTS, technique='dynamic-qint8')\n"
    result = session(code, "-rs", "--benchmark-disable")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*dynamic-qint8: dynamic quantization changes layers whose class is Linear,*"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("build(), INPUTS, technique='dynamic-qint'", "there is no technique 'dynamic-qint'; did you mean"),
        ("build(), INPUTS, technique='dorefa:w2a2'", "dorefa:w2a2 takes part in the training, and quantbench"),
        ("build(), INPUTS, batch_size=0", "batch_size=0 is no batch; give 1 or more."),
        ("build(), INPUTS, threads=0", "threads=0 is not between 1 and"),
        ("build(), INPUTS, engine='abacus'", "this torch has no quantized engine 'abacus'; choose from"),
        ("build(), [1.0]", "the argument inputs gives a float instead of a tensor, a tuple of tensors"),
        ("build(), INPUTS[:0]", "the argument inputs gives tensors of shape [0, 32], of different batch sizes"),
        ("build(), INPUTS, calibrate={}", "the argument calibrate gives a dict of "),
        ("'x', INPUTS", "model is a str; give a torch.nn.Module."),
        ("build().half(), INPUTS.half(), technique='dynamic-qint8'", "the test gives a model of float16 weights"),
        ("build().to('meta'), INPUTS", "gives a model on the meta device, where 0.weight has no values"),
        ("build(), INPUTS, evaluate=lambda predict: None", "evaluate returned nothing; return a share"),
        (
            "build(), INPUTS, evaluate=lambda predict: 97.0",
            "evaluate returned 97.0, which is not an accuracy; divide",
        ),
        ("build(), INPUTS, evaluate=lambda predict: (9, 4)", "evaluate returned (9, 4), which is not (correct, total)"),
    ],
)
def test_a_request_that_makes_no_sense_fails_with_a_sentence(session: Session, call: str, sentence: str) -> None:
    # pytest-benchmark warns of a benchmark that a failed test did not come to.
    result = session(f"def test_it(quantbench):\n    quantbench({call})\n", "--benchmark-disable", "-W", "ignore")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert sentence in text
    assert "Traceback" not in text
    assert "During handling" not in text


def test_without_pytest_benchmark_other_tests_run_and_the_fixture_says_what_is_missing(session: Session) -> None:
    code = "def test_other():\n    pass\n\ndef test_it(quantbench):\n    pass\n"
    result = session(code, "-p", "no:benchmark")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the fixture quantbench needs pytest-benchmark; pip install pytest-benchmark.*"])


def test_loading_the_plug_in_imports_neither_torch_nor_anything_of_ours() -> None:
    """pytest loads it at every start, of every project where quantbench is installed."""
    modules = modules_after("import bench.pytest_plugin.plugin")
    assert not {"torch", "numpy", "pydantic", "rich"} & modules
    ours = {"bench", "bench.pytest_plugin", "bench.pytest_plugin.plugin"}
    assert {name for name in modules if name.startswith("bench")} == ours


def test_the_distribution_brings_the_plug_in() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = re.search(r"\[project\.entry-points\.pytest11\]\n(.*)\n", text)
    assert section
    assert section[1] == f'quantbench = "{bench.pytest_plugin.plugin.__name__}"'
