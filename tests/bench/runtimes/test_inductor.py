"""torch's compiler, ahead of time: what its packages compute, and the traps on the way there."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.tensors import digest
from bench.runtimes import inductor as ours
from bench.runtimes.base import Built
from bench.runtimes.graphs.batch_norms import without_batch_norms
from bench.tasks.temporary import PREFIX
from bench.techniques.base import TECHNIQUES
from tests.bench.examples import RUN
from tests.bench.runtimes.sources import (
    MODELS,
    Make,
    answers,
    build,
    loaded_afresh,
    maker,
    relative_error,
    rows,
    source,
)

MOST = {"fp32": 1e-5, "bf16": 0.03, "dynamic-qint8": 0.1, "static-qint8": 0.1}
compiled = pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="there is no C++ compiler")
AVX2 = "AVX2" in torch.backends.cpu.get_cpu_capability() or "AVX512" in torch.backends.cpu.get_cpu_capability()
TECHNIQUES_HERE = [name for name in MOST if not name.endswith("qint8") or (find_spec("torchao") and AVX2)]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Compile a variant of a model once."""
    return partial(maker(tmp_path_factory.mktemp("inductor")), "inductor")


def cast(built: Built, inputs: Tensor) -> Tensor:
    dtype: torch.dtype = getattr(torch, built.executable.input_dtype)
    return inputs.to(dtype)


@pytest.mark.slow
@compiled
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("technique", TECHNIQUES_HERE)
def test_a_package_computes_what_the_model_does(make: Make, name: str, technique: str) -> None:
    """A pre-activation network too, whose first convolution PT2E would fold a BatchNorm into."""
    built, _ = make(name, technique)
    for number in (1, 3, 64):
        inputs = rows(MODELS[name], number)
        assert relative_error(answers(built, cast(built, inputs)), MODELS[name](inputs)) < MOST[technique]


@pytest.mark.slow
@compiled
@pytest.mark.parametrize("technique", TECHNIQUES_HERE)
def test_a_fresh_process_gives_the_same_outputs_to_the_bit_without_a_compiler(make: Make, technique: str) -> None:
    built, path = make("mlp", technique)
    inputs = rows(MODELS["mlp"], 5)
    done = loaded_afresh("inductor", technique, path, inputs)
    assert done.returncode == 0, done.stderr
    outputs, modules, _ = json.loads(done.stdout)
    with torch.inference_mode():
        assert outputs == digest([built.executable.outputs(Inputs((cast(built, inputs),)))])
    assert not {"torch._inductor", "torch._dynamo", "torchao"} & set(modules)


@pytest.mark.slow
@compiled
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("technique", [name for name in TECHNIQUES_HERE if name.endswith("qint8")])
def test_int8_operations_are_those_of_the_optimized_graph(make: Make, name: str, technique: str) -> None:
    """Of the ResNet dynamic int8 has the Linear alone: PT2E's dynamic configuration is for those."""
    counts = make(name, technique)[0].int8_operations
    assert counts is not None
    products = 3 if name == "mlp" else 10
    assert counts.int8 + counts.float_products >= products
    assert counts.float_products == (9 if (name, technique) == ("resnet", "dynamic-qint8") else 0)
    assert make(name, "fp32")[0].int8_operations is None


@pytest.mark.slow
@compiled
def test_the_package_is_counted_and_inputs_of_another_layout_are_understood(make: Make) -> None:
    built, path = make("resnet", "fp32")
    assert built.file_bytes == (path / "model.pt2").stat().st_size
    inputs = rows(MODELS["resnet"], 4)
    outputs = answers(built, inputs.to(memory_format=torch.channels_last))
    assert torch.equal(outputs, answers(built, inputs))


@pytest.mark.slow
@compiled
def test_compiling_leaves_no_cache_of_its_own_behind(make: Make) -> None:
    make("mlp", "fp32")
    assert PREFIX not in os.environ.get("TORCHINDUCTOR_CACHE_DIR", "")


class Choosing(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.sum() > 0 else -inputs


@pytest.mark.slow
@compiled
def test_a_model_that_cannot_be_exported_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"torch\.export cannot export this model: "):
        build("inductor", source(Choosing().eval(), "fp32", tmp_path), tmp_path)


def test_without_a_compiler_it_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    reason = ours.Inductor().unsupported_reason(TECHNIQUES.get("fp32"), RUN.machine, "cpu", "fbgemm")
    assert reason == "it needs a C++ compiler, and there is no no-such-compiler; install one, or name another with $CXX"


def test_int8_is_for_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours.Inductor, "missing", lambda self: None)
    arm = RUN.machine.model_copy(update={"isa": ["NEON", "I8MM"]})
    runtime, static = ours.Inductor(), TECHNIQUES.get("static-qint8")
    assert "x86" in str(runtime.unsupported_reason(static, arm, "cpu", "qnnpack"))
    assert runtime.unsupported_reason(TECHNIQUES.get("fp32"), arm, "cpu", "qnnpack") is None


def test_a_file_is_for_one_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(ours, "CPU_INFO", info)
    described: list[str] = []
    for flags in ("avx2", "avx2 avx512f", "avx2"):
        info.write_text(f"model name : X\nflags : {flags}\ncpu MHz : {len(described)}\n\nmodel name : Y\n", "utf-8")
        described.append(ours._cpu())
    assert described[0] == described[2] != described[1]


def test_no_batch_norm_is_left_and_the_network_computes_the_same() -> None:
    model = MODELS["resnet"]
    plain = without_batch_norms(model)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
    inputs = rows(model, 8)
    torch.testing.assert_close(plain(inputs), model(inputs), rtol=1e-4, atol=1e-4)
    assert any(isinstance(part, nn.BatchNorm2d) for part in model.modules()), "the model itself is as it was"


def test_a_batch_norm_without_weights_and_one_of_flat_inputs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU())
    model.train()(torch.rand(32, 8))
    inputs = torch.rand(4, 8)
    torch.testing.assert_close(without_batch_norms(model.eval())(inputs), model(inputs))


def test_a_network_without_any_is_not_traced() -> None:
    assert without_batch_norms(MODELS["mlp"]) is MODELS["mlp"]
