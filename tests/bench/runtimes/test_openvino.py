"""OpenVINO and NNCF, the real ones: what their graphs compute, and the traps on the way there."""

from __future__ import annotations

import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from bench.core.errors import UnsupportedError
from bench.core.tensors import digest
from bench.results.isa import computes_bfloat16
from bench.runtimes import openvino as ours
from bench.runtimes.graphs.openvino_graph import import_openvino
from bench.techniques.base import TECHNIQUES
from tests.bench.examples import RUN
from tests.bench.runtimes.sources import (
    AVX2,
    MODELS,
    VNNI,
    Make,
    answers,
    loaded_afresh,
    maker,
    relative_error,
    rows,
)

pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="NNCF is not installed")  # importing it sends data

EVERYWHERE = ("fp32", "fp16", "static-qint8")
"""Techniques that any CPU computes."""


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Build a variant of a model once, without telemetry, as workers do."""
    yield partial(maker(tmp_path_factory.mktemp("openvino")), "openvino")
    sys.modules.pop("openvino_telemetry", None)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("technique", "most"), [("fp32", 1e-5), ("fp16", 5e-3), ("static-qint8", 0.1)])
def test_a_graph_computes_what_the_model_does(make: Make, name: str, technique: str, most: float) -> None:
    built, _ = make(name, technique)
    for number in (1, 3, 64):
        inputs = rows(MODELS[name], number)
        assert relative_error(answers(built, inputs), MODELS[name](inputs)) < most


@pytest.mark.parametrize("technique", EVERYWHERE)
def test_a_fresh_process_gives_the_same_outputs_to_the_bit_without_converters(make: Make, technique: str) -> None:
    built, path = make("resnet", technique)
    inputs = rows(MODELS["resnet"], 5)
    done = loaded_afresh("openvino", technique, path, inputs)
    assert done.returncode == 0, done.stderr
    outputs, modules, _ = json.loads(done.stdout)
    assert outputs == digest([answers(built, inputs)])
    assert not {"nncf", "onnx", "onnxscript", "openvino_telemetry.main", "torch._inductor"} & set(modules)


def test_both_files_are_counted(make: Make) -> None:
    built, path = make("mlp", "fp32")
    assert {file.name for file in path.iterdir()} == {"model.xml", "model.bin"}
    assert built.file_bytes == sum(file.stat().st_size for file in path.iterdir())


def test_float32_weights_are_stored_as_float32_and_float16_ones_as_float16(make: Make) -> None:
    values = 64 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10
    assert (make("mlp", "fp32")[1] / "model.bin").stat().st_size >= 4 * values
    assert (make("mlp", "fp16")[1] / "model.bin").stat().st_size < 2.1 * values


@pytest.mark.parametrize("technique", EVERYWHERE)
def test_it_computes_in_the_precision_and_with_the_threads_that_were_asked_for(make: Make, technique: str) -> None:
    executable: Any = make("mlp", technique)[0].executable
    asked = {name: executable.compiled.get_property(name) for name in ("INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING")}
    assert asked == {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}
    assert executable.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"


def test_another_precision_than_was_asked_for_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 where a CPU has it; where it has none OpenVINO computes in float32 without a word."""
    path = make("mlp", "fp32")[1]
    compiled = ours._compiled
    core = import_openvino().Core

    class Ignoring(core):  # type: ignore[misc, valid-type]
        def compile_model(self, model: Path, device: str, settings: dict[str, Any]) -> Any:
            return super().compile_model(model, device, settings | {"INFERENCE_PRECISION_HINT": "f32"})

    monkeypatch.setattr(import_openvino(), "Core", Ignoring)
    with pytest.raises(UnsupportedError, match="computes in f32 here, where bf16 was asked for"):
        compiled(path, "bf16", 1)


def test_bfloat16_needs_a_cpu_that_has_it() -> None:
    runtime, bf16 = ours.OpenVino(), TECHNIQUES.get("bf16")
    without = RUN.machine.model_copy(update={"isa": ["AVX2"]})
    with_it = RUN.machine.model_copy(update={"isa": ["AVX2", "AVX512-BF16"]})
    assert "would compute in float32" in str(runtime.unsupported_reason(bf16, without, "cpu", "fbgemm"))
    assert computes_bfloat16(with_it.isa)
    assert runtime.unsupported_reason(bf16, with_it, "cpu", "fbgemm") is None


def test_no_convolution_of_a_preactivation_network_stays_float(make: Make) -> None:
    """Were BatchNorms left unfused, quantizers would lie between them and the convolutions."""
    built, path = make("resnet", "static-qint8")
    kinds = [layer.get("type") for layer in ElementTree.parse(path / "model.xml").getroot().iter("layer")]  # noqa: S314
    assert "BatchNormInference" not in kinds
    assert built.int8_operations is not None
    assert built.int8_operations.float_products == 0


def test_weights_take_half_their_range_where_int8_sums_would_saturate(make: Make) -> None:
    for isa in (VNNI, AVX2):
        built, _ = make("mlp", "static-qint8", isa)
        assert any("overflow_fix" in note for note in built.notes) == (isa is AVX2)
    inputs = rows(MODELS["mlp"], 64)
    with_room, with_full_range = (answers(make("mlp", "static-qint8", isa)[0], inputs) for isa in (AVX2, VNNI))
    assert not torch.equal(with_room, with_full_range)
    assert relative_error(with_room, MODELS["mlp"](inputs)) < 0.1


def test_the_process_stays_on_its_cores(make: Make) -> None:
    core = min(os.sched_getaffinity(0))
    _, path = make("mlp", "fp32")
    done = loaded_afresh("openvino", "fp32", path, rows(MODELS["mlp"], 2), cores=str(core))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[2] == [core]


def test_telemetry_is_not_even_imported(make: Make) -> None:
    make("mlp", "static-qint8")
    assert dict(sys.modules, other=None)["openvino_telemetry"] is None
    from openvino.tools.ovc import telemetry_utils

    assert "stub" in telemetry_utils.tm.__name__


def test_telemetry_that_somebody_has_imported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino_telemetry", ModuleType("openvino_telemetry"))
    with pytest.raises(UnsupportedError, match="leave it out"):
        import_openvino()


def test_dynamic_int8_has_its_own_reason() -> None:
    assert "language models" in str(ours.OpenVino().lacks(TECHNIQUES.get("dynamic-qint8")))
