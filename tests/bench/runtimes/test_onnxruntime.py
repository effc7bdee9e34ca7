"""ONNX Runtime, the real one: what its files compute, and the traps on the way there."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.tensors import digest
from bench.runtimes import onnxruntime as ours
from bench.runtimes.graphs.matmul_nbits import integers
from bench.runtimes.graphs.onnx_techniques import MAKERS
from bench.techniques.base import TECHNIQUES
from tests.bench.runtimes.sources import (
    AVX2,
    MODELS,
    VNNI,
    Make,
    answers,
    build,
    loaded_afresh,
    maker,
    mlp,
    relative_error,
    rows,
    source,
)

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build a variant of a model once: the first export imports for seconds."""
    return partial(maker(tmp_path_factory.mktemp("onnx")), "onnxruntime")


def nodes(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("technique", "most"), [("fp32", 1e-5), ("fp16", 5e-3), ("dynamic-qint8", 0.1), ("static-qint8", 0.1)]
)
def test_a_file_computes_what_the_model_does(make: Make, name: str, technique: str, most: float) -> None:
    built, _ = make(name, technique)
    for number in (1, 3, 64):
        inputs = rows(MODELS[name], number)
        assert relative_error(answers(built, inputs), MODELS[name](inputs)) < most


@pytest.mark.parametrize("technique", MAKERS)
def test_a_fresh_process_gives_the_same_outputs_to_the_bit_without_an_exporter(make: Make, technique: str) -> None:
    built, path = make("resnet", technique)
    inputs = rows(MODELS["resnet"], 5)
    done = loaded_afresh("onnxruntime", technique, path, inputs)
    assert done.returncode == 0, done.stderr
    outputs, modules, _ = json.loads(done.stdout)
    assert outputs == digest([answers(built, inputs)])
    assert not {"onnx", "onnxscript", "torch.onnx._internal.exporter", "torch._inductor"} & set(modules)


def test_all_weights_are_in_the_one_file_that_is_counted(make: Make) -> None:
    built, path = make("mlp", "fp32")
    assert built.file_bytes == path.stat().st_size > 4 * (64 * 256 + 256 * 128)
    assert make("mlp", "static-qint8")[1].stat().st_size < 0.35 * built.file_bytes


def test_the_bound_call_computes_the_outputs(make: Make) -> None:
    built, _ = make("mlp", "fp32")
    inputs = rows(MODELS["mlp"], 4)
    call: Any = built.executable.bind(Inputs((inputs,)))
    assert call() is None
    [bound] = call.args[0].copy_outputs_to_cpu()
    assert torch.equal(torch.from_numpy(bound), answers(built, inputs))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_session_has_the_threads_that_were_asked_for_and_they_do_not_spin(make: Make, threads: int) -> None:
    options = ours._session(make("mlp", "fp32")[1], threads).get_session_options()
    assert options.intra_op_num_threads == threads
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_dynamic_quantizer_leaves_convolutions_alone(make: Make) -> None:
    built, path = make("resnet", "dynamic-qint8")
    assert "ConvInteger" not in nodes(path)
    assert "MatMulInteger" in nodes(path)
    assert any("MatMul and Gemm only" in note for note in built.notes)


def test_the_static_quantizer_leaves_no_convolution_of_a_preactivation_network_float(make: Make) -> None:
    built, path = make("resnet", "static-qint8")
    assert "BatchNormalization" not in nodes(make("resnet", "static-qint8")[1]) or nodes(path).count("Conv") == 9
    assert built.int8_operations is not None
    assert built.int8_operations.float_products == 0


@pytest.mark.parametrize(("isa", "most"), [(AVX2, 64), (VNNI, 127)])
def test_weights_take_seven_bits_where_int8_sums_would_saturate(make: Make, isa: frozenset[str], most: int) -> None:
    built, path = make("mlp", "static-qint8", isa)
    weights = [
        onnx.numpy_helper.to_array(value)
        for value in onnx.load(path).graph.initializer
        if value.data_type == onnx.TensorProto.INT8 and len(value.dims) == 2
    ]
    assert weights
    assert max(abs(value.astype(int)).max() for value in weights) == most
    assert any("reduce_range" in note for note in built.notes) == (isa is AVX2)


@pytest.mark.parametrize(
    ("technique", "most", "share"), [("weight-only-int8", 0.02, 0.32), ("weight-only-int4", 0.1, 0.2)]
)
def test_weights_alone_are_stored_in_few_bits_and_multiplied_so(
    make: Make, technique: str, most: float, share: float
) -> None:
    built, path = make("mlp", technique)
    for number in (1, 64):
        inputs = rows(MODELS["mlp"], number)
        assert relative_error(answers(built, inputs), MODELS["mlp"](inputs)) < most
    assert nodes(path).count("MatMulNBits") == 3
    assert built.file_bytes is not None
    float32 = make("mlp", "fp32")[0].file_bytes
    assert float32 is not None
    assert built.file_bytes < share * float32
    assert built.int8_operations is not None
    assert (built.int8_operations.int8, built.int8_operations.float_products) == (3, 0)
    assert any("rounds the inputs" in note for note in built.notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("technique", "bits"),
    [
        ("range-linear:w4", 4),
        ("range-linear:w2,per-channel", 4),
        ("range-linear:w8,per-channel", 8),
        ("range-linear:w4,asym-signed", None),
        ("dorefa:w2", 4),
        ("dorefa:w4", 8),
        ("wrpn:w4", 4),
        ("bwn", 4),
        ("binaryconnect", 4),
    ],
)
def test_codes_of_a_perceptron_are_multiplied_as_they_are(tmp_path: Path, technique: str, bits: int | None) -> None:
    """Not as the floats that they stand for: the row is no simulation."""
    model = TECHNIQUES.get(technique).prepare(mlp()) if TECHNIQUES.get(technique).trained_as else mlp()
    given = source(model.eval(), technique, tmp_path)
    built, path = build("onnxruntime", given, tmp_path)
    widths = {
        attribute.i
        for node in onnx.load(path).graph.node
        for attribute in node.attribute
        if node.op_type == "MatMulNBits" and attribute.name == "bits"
    }
    assert bits is None or widths == {bits}
    inputs = rows(mlp(), 64)
    with torch.inference_mode():
        simulated = given.convert().module(inputs)
    assert relative_error(answers(built, inputs), simulated) < 0.03
    assert built.artifact is None, "nothing is simulated"


def test_convolutions_have_no_low_bit_kernel(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="low-bit layers are no matrix products"):
        build("onnxruntime", source(MODELS["resnet"], "range-linear:w4", tmp_path), tmp_path)
    assert "float32 activations only" in str(ours.OnnxRuntime().lacks(TECHNIQUES.get("dorefa:w4a4")))


def test_weights_are_multiples_of_the_distance_of_two_levels_or_of_half_of_it() -> None:
    levels = np.array([[-1.0, -1 / 3, 1 / 3, 1.0]], np.float32)
    halves = integers(levels, np.array([[2 / 3]], np.float32))
    assert (halves.values.tolist(), halves.bits) == ([[-3, -1, 1, 3]], 4)
    assert halves.steps == pytest.approx(1 / 3)
    wide = integers(np.array([[-100.0, 100.0]], np.float32), np.ones((1, 1), np.float32))
    assert (wide.values.tolist(), wide.bits) == ([[-100, 100]], 8)
    with pytest.raises(UnsupportedError, match="no multiples of a step"):
        integers(np.array([[1.0, 1.3]], np.float32), np.ones((1, 1), np.float32))


def test_what_would_stay_float32_is_no_int8_row(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    given = dataclasses.replace(
        source(model, "dynamic-qint8", tmp_path), inputs=lambda number: Inputs.of(torch.rand(number, 3, 8, 8))
    )
    with pytest.raises(UnsupportedError, match="no operation of the optimized graph would compute with int8 numbers"):
        build("onnxruntime", given, tmp_path)


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 8)

    def forward(self, inputs: Tensor) -> dict[str, Any]:
        hidden = self.layer(inputs)
        return {"hidden": hidden, "more": [hidden.relu(), hidden.sum(1)]}


def test_outputs_stand_where_the_model_has_them(tmp_path: Path) -> None:
    model = Pair().eval()
    built, _ = build("onnxruntime", source(model, "fp32", tmp_path), tmp_path)
    inputs = rows(model, 3)
    got = built.executable.outputs(Inputs((inputs,)))
    assert list(got) == ["hidden", "more"]
    torch.testing.assert_close(got["more"][1], model(inputs)["more"][1])


class Choosing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 8)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden: Tensor = self.layer(inputs)
        if inputs.sum() > 0:
            return hidden
        return -hidden


def test_a_model_that_cannot_be_exported_is_unsupported_with_the_line_of_its_code(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"torch\.onnx cannot export this model: .*if inputs\.sum\(\) > 0"):
        build("onnxruntime", source(Choosing().eval(), "fp32", tmp_path), tmp_path)


def test_techniques_that_nobody_makes_files_of_have_a_reason() -> None:
    runtime = ours.OnnxRuntime()
    assert "fp32, fp16, dynamic-qint8, static-qint8" in str(runtime.lacks(TECHNIQUES.get("amp")))
    assert runtime.lacks(TECHNIQUES.get("static-qint8")) is None


class Recurrent(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        tags: Tensor = self.head(self.lstm(inputs.reshape(-1, 8, 8))[0])
        return tags


def test_a_float16_graph_that_onnx_runtime_dies_of_is_written_in_another_way(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Recurrent().eval()
    built, _ = build("onnxruntime", source(model, "fp16", tmp_path), tmp_path)
    inputs = rows(model, 3)
    with torch.no_grad():
        assert relative_error(answers(built, inputs), model(inputs)) < 5e-3
