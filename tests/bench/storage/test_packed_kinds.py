"""Packed files of what users' models hold: ties, complex buffers, recurrent layers, slopes beside the state dict."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.copies import copy_of
from bench.measuring.params import count_parameters
from bench.storage.packed import Origin, Packed, load_user_model, pack
from bench.techniques.base import TECHNIQUES, Context
from tests.bench import kinds


def reloaded(technique: str, model: nn.Module, inputs: Tensor, path: Path) -> tuple[Packed, Tensor, int]:
    """Pack, load into a model with other weights, compare to the bit; return the file, the outputs, the parameters."""
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: inputs)
    artifact = TECHNIQUES.get(technique).convert(copy_of(model).eval(), context)
    origin = Origin(model="kinds/it", technique=technique, engine="fbgemm", built_by="build() of kinds.py")
    file = pack(artifact.module, path, origin)
    again = load_user_model(path, copy_of(model), (inputs,)).artifact
    dtype = getattr(torch, artifact.input_dtype)
    with torch.inference_mode():
        given = inputs.to(dtype) if inputs.is_floating_point() else inputs
        outputs = artifact.forward(given)
        assert torch.equal(outputs, again.forward(given))
    return file, outputs.float(), count_parameters(artifact.module)


@pytest.mark.parametrize(("technique", "values"), [("fp32", 4 * 1856), ("fp16", 2 * 1856), ("bf16", 2 * 1856)])
def test_a_tied_weight_is_stored_once(technique: str, values: int, tmp_path: Path) -> None:
    file, _, _ = reloaded(technique, kinds.TiedHead(), torch.arange(8).reshape(2, 4), tmp_path / "packed")
    assert sum(file.bytes_by_dtype.values()) == values


@pytest.mark.parametrize(("technique", "values"), [("dynamic-qint8", 256 + 64), ("range-linear:w4", 128 + 64)])
def test_a_layer_of_several_names_is_stored_once(technique: str, values: int, tmp_path: Path) -> None:
    file, _, _ = reloaded(technique, kinds.Repeated(), torch.rand(2, 16), tmp_path / "packed")
    assert values <= sum(file.bytes_by_dtype.values()) < values + 16


@pytest.mark.parametrize("technique", ["fp32", "fp16", "bf16", "dynamic-qint8", "dynamic-fp16", "static-qint8"])
def test_a_complex_buffer_stays_complex(technique: str, tmp_path: Path) -> None:
    inputs, classes = kinds.places()
    _, outputs, params = reloaded(technique, kinds.Turned(), inputs, tmp_path / "packed")
    assert outputs.argmax(1).tolist() == classes.tolist()
    assert params == 4


@pytest.mark.parametrize("technique", ["dynamic-qint8", "dynamic-qint8:per-channel", "dynamic-fp16"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_are_packed(technique: str, kind: type[nn.LSTM | nn.GRU], tmp_path: Path) -> None:
    model, inputs = kinds.Recurrent(kind), torch.randn(2, 5, 4)
    file, outputs, params = reloaded(technique, model, inputs, tmp_path / "packed")
    assert params == count_parameters(model)
    short = "int8" if "qint8" in technique else "float16"
    assert file.bytes_by_dtype[short] > 1_000
    assert (outputs - model.eval()(inputs)).norm() < 0.05 * outputs.norm()


@pytest.mark.parametrize("part", [nn.PReLU(8), nn.ELU(), nn.Softmax(1)])
def test_what_quantized_modules_hold_beside_their_state_dict_is_packed(part: nn.Module, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), part, nn.Linear(8, 3))
    _, _, params = reloaded("static-qint8", model, torch.randn(16, 4), tmp_path / "packed")
    assert params == count_parameters(model), "slopes are parameters"


@pytest.mark.parametrize("technique", ["fp32", "fp16", "dynamic-qint8", "static-qint8", "range-linear:w8a8"])
@pytest.mark.parametrize("build", [kinds.normed, kinds.parametrized])
def test_weight_norm_is_folded_where_layers_are_quantized(technique: str, build: object, tmp_path: Path) -> None:
    model = build()  # type: ignore[operator]
    _, _, params = reloaded(technique, model, torch.randn(16, 4), tmp_path / "packed")
    plain = 4 * 8 + 8 + 8 * 3 + 3
    assert params == (plain + 8 if technique in ("fp32", "fp16") else plain), "with the gains, and without"
