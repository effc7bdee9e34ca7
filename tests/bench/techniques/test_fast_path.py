"""torch's fused operator for an encoder layer never runs in the place of quantized layers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.storage import packed
from bench.techniques.base import TECHNIQUES, Context

pytestmark = pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="no fbgemm")
TREATED = ("range-linear:w8a2", "range-linear:w4", "dynamic-qint8", "dynamic-fp16")


class Padded(nn.Module):
    """An encoder that is told of padding, which torch would take out of the batch for its operator."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), layers)

    def forward(self, words: Tensor) -> Tensor:
        padding = torch.zeros(words.shape[:2], dtype=torch.bool, device=words.device)
        padding[0, -1] = True
        found: Tensor = self.encoder(words, src_key_padding_mask=padding)
        return found


def model(kind: str) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return (Padded(2) if kind == "padded" else nn.TransformerEncoder(layer, 2) if kind == "encoder" else layer).eval()


def convert(name: str, network: nn.Module, inputs: Tensor) -> nn.Module:
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: inputs)
    return TECHNIQUES.get(name).convert(network, context).module


@contextmanager
def without_fast_path() -> Iterator[None]:
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize("kind", ["layer", "encoder", "padded"])
@pytest.mark.parametrize("name", TREATED)
def test_quantized_layers_of_an_encoder_are_what_runs(name: str, kind: str) -> None:
    inputs = torch.rand(4, 6, 16)
    module = convert(name, model(kind), inputs)
    with torch.inference_mode():
        found = module(inputs)
        with without_fast_path():
            expected = module(inputs)
    torch.testing.assert_close(found, expected)


def test_a_reloaded_encoder_answers_as_the_one_that_was_packed(tmp_path: Path) -> None:
    inputs = torch.rand(4, 6, 16)
    network = model("layer")
    other = copy.deepcopy(network)
    module = convert("range-linear:w8a2", network, inputs)
    origin = packed.Origin(model="own/net", technique="range-linear:w8a2", engine="fbgemm", built_by="net.py")
    packed.pack(module, tmp_path / "packed", origin)
    with without_fast_path(), torch.inference_mode():
        expected = module(inputs)
    torch.testing.assert_close(packed.load_user_model(tmp_path / "packed", other, (inputs,))(inputs), expected)


def test_a_float_encoder_keeps_its_operator() -> None:
    layer = model("layer")
    assert convert("fp32", layer, torch.rand(1, 2, 16)).activation_relu_or_gelu == 1
