"""Techniques confined to layers by the runtimes' own quantizers: those named are int8, and no others."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.tensors import digest
from bench.runtimes.base import RUNTIMES, Built, Source
from bench.runtimes.graphs.layer_products import PRODUCTS, LayerProducts, layer_products
from bench.techniques.base import TECHNIQUES
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

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SHAPES = {"layers.0": [256, 64], "layers.2": [128, 256], "layers.4": [10, 128]}
inductor = pytest.param(
    "inductor",
    marks=[
        pytest.mark.slow,
        pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="there is no C++ compiler"),
        pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is not installed"),
        pytest.mark.skipif("AVX" not in torch.backends.cpu.get_cpu_capability(), reason="PT2E's quantizer is for AVX2"),
    ],
)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build a mixture of a model once."""
    return maker(tmp_path_factory.mktemp("layers"))


def of(model: nn.Module, technique: str, inputs: Callable[[int], Tensor], folder: Path) -> Source:
    """Return the source of a model that takes other inputs than those of ``sources``."""
    given = source(model, technique, folder, calibration=[inputs(64)])
    return dataclasses.replace(given, inputs=lambda number: Inputs.of(inputs(number)))


def int8_shapes(path: Path) -> list[list[int]]:
    """Return the shapes of int8 weights, in the file's order."""
    values = onnx.load(path).graph.initializer
    return [list(value.dims) for value in values if value.data_type == onnx.TensorProto.INT8 and len(value.dims) > 1]


def float_products(runtime: str, built: Built, path: Path) -> int:
    """Count what stayed float; in the file of ONNX Runtime, whose optimizer makes convolutions of BatchNorms too."""
    assert built.int8_operations is not None
    if runtime != "onnxruntime":
        return built.int8_operations.float_products
    nodes = onnx.load(path).graph.node
    dequantized = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    return sum(node.op_type in PRODUCTS and not dequantized.issuperset(node.input[:2]) for node in nodes)


@pytest.mark.parametrize("runtime", ["onnxruntime", inductor])
@pytest.mark.parametrize(
    ("name", "technique", "left"),
    [
        ("mlp", "mixed:layers.2=static-qint8", 2),
        ("mlp", "mixed:*=static-qint8+layers.0=fp32", 1),
        ("resnet", "mixed:blocks.0.conv1=static-qint8", 9),  # a BatchNorm is folded into it
        ("resnet", "mixed:*=static-qint8+conv=fp32", 1),
        ("resnet", "mixed:fc=static-qint8", 9),
    ],
)
def test_the_layers_named_are_int8_and_no_others(
    make: Make, runtime: str, name: str, technique: str, left: int
) -> None:
    built, path = make(runtime, name, technique)
    assert float_products(runtime, built, path) == left
    inputs = rows(MODELS[name], 5)
    error = relative_error(answers(built, inputs), MODELS[name](inputs))
    assert 0 < error < 0.1
    done = loaded_afresh(runtime, technique, path, inputs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == digest([answers(built, inputs)])


@pytest.mark.parametrize("technique", ["static-qint8", "dynamic-qint8"])
@pytest.mark.parametrize("layer", SHAPES)
def test_the_weights_of_the_very_layer_are_int8(make: Make, layer: str, technique: str) -> None:
    _, only = make("onnxruntime", "mlp", f"mixed:{layer}={technique}")
    _, others = make("onnxruntime", "mlp", f"mixed:*={technique}+{layer}=fp32")
    transposed = [[*map(int, reversed(shape))] for shape in SHAPES.values()]  # dynamic products have no Gemm
    known = list(SHAPES.values()) if technique == "static-qint8" else transposed
    [of_layer] = int8_shapes(only)
    assert of_layer == known[list(SHAPES).index(layer)]
    assert sorted([of_layer, *int8_shapes(others)]) == sorted(known)


def test_the_relu_behind_a_layer_is_a_part_of_its_range(make: Make) -> None:
    """As of the whole model: half of an unsigned range would be spent on what the ReLU cuts off."""
    _, path = make("onnxruntime", "mlp", "mixed:layers.0=static-qint8")
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("Relu") == 1, "that of the other layer"


def test_products_of_more_than_a_matrix_are_known_by_the_module_that_they_come_from(tmp_path: Path) -> None:
    """The exporter transposes such a weight and forgets its name."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval().requires_grad_(False)
    given = of(model, "mixed:2=static-qint8", lambda number: torch.rand(number, 5, 8), tmp_path)
    built, _ = build("onnxruntime", given, tmp_path)
    assert built.int8_operations is not None
    assert built.int8_operations.float_products == 1
    inputs = torch.rand(3, 5, 8)
    assert 0 < relative_error(answers(built, inputs), model(inputs)) < 0.1


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.head = nn.Linear(64, 64)
        self.tied = nn.Linear(64, 64)
        self.tied.weight = self.head.weight

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.tied(self.head(self.layer(self.layer(inputs).relu()).relu()))
        return outputs


@pytest.mark.parametrize(("layer", "float_products"), [("layer", 2), ("head", 3), ("tied", 3)])
def test_a_layer_used_twice_is_int8_twice_and_one_that_shares_its_weight_is_not(
    layer: str, float_products: int, tmp_path: Path
) -> None:
    built, _ = build("onnxruntime", source(Twice().eval(), f"mixed:{layer}=static-qint8", tmp_path), tmp_path)
    assert built.int8_operations is not None
    assert built.int8_operations.float_products == float_products


def test_what_is_no_product_is_refused_by_its_name(tmp_path: Path) -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 16, batch_first=True)
            self.head = nn.Linear(16, 4)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.head(self.lstm(inputs)[0][:, -1])
            return outputs

    given = of(Reading().eval(), "mixed:lstm=dynamic-qint8", lambda number: torch.rand(number, 5, 8), tmp_path)
    with pytest.raises(UnsupportedError, match="lstm is no matrix product or convolution"):
        build("onnxruntime", given, tmp_path)


def test_a_layer_that_the_model_does_not_have_is_said(tmp_path: Path) -> None:
    given = source(MODELS["mlp"], "mixed:layers.3=static-qint8", tmp_path)
    with pytest.raises(UnsupportedError, match=r"static-qint8 cannot change layers\.3, a ReLU"):
        build("onnxruntime", given, tmp_path)


def test_low_bit_layers_are_confined_too(make: Make) -> None:
    _, path = make("onnxruntime", "mlp", "mixed:layers.2=range-linear:w4")
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("MatMulNBits") == 1


def test_products_are_found_again_where_optimizers_renamed_nodes_or_weights(tmp_path: Path) -> None:
    products = layer_products(source(MODELS["resnet"], "mixed:fc=static-qint8", tmp_path))
    assert products is not None
    assert len(products.others) == 9
    [node], [weight] = products.nodes, products.weights
    assert weight == "model.fc.weight"
    assert products.holds(node, "another")
    assert products.holds("fused", weight)
    assert not products.holds(next(iter(products.others)), weight), "a weight that two layers share"
    with pytest.raises(UnsupportedError, match="of the 1 products of its layers 0 are left"):
        products.require_all([])
    assert layer_products(source(MODELS["resnet"], "static-qint8", tmp_path)) is None
    assert LayerProducts(frozenset(), frozenset(), frozenset()).holds("any", "any") is False


@pytest.mark.parametrize(
    ("runtime", "technique", "reason"),
    [
        ("onnxruntime", "mixed:a=static-qint8", None),
        ("onnxruntime", "mixed:*=dynamic-qint8+a=fp32", None),
        ("onnxruntime", "mixed:a=dynamic-qint8+b=range-linear:w4", "of one technique and fp32"),
        ("onnxruntime", "mixed:a=dynamic-fp16", "quantbench makes ONNX files as"),
        ("openvino", "mixed:a=static-qint8", "quantbench leaves no layers out there"),
        ("inductor", "mixed:a=dynamic-qint8", None),
        ("inductor", "mixed:a=range-linear:w4", "quantbench compiles"),
        ("executorch", "mixed:a=static-qint8", "quantbench makes ExecuTorch programs as"),
    ],
)
def test_which_mixtures_there_are(runtime: str, technique: str, reason: str | None) -> None:
    lacking = RUNTIMES.get(runtime).lacks(TECHNIQUES.get(technique))
    assert lacking is None if reason is None else reason in str(lacking)
