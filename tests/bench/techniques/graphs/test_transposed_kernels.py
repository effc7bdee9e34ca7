"""Int8 kernels of torch that compute something else are not used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.techniques.base import TECHNIQUES, Context
from bench.techniques.graphs import transposed_kernels


def grown() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.ConvTranspose2d(16, 16, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(16, 4, 3)).eval()


@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="its kernels")
def test_a_network_of_transposed_convolutions_answers_alike_each_time() -> None:
    inputs = torch.rand(4, 16, 8, 8)
    exact = grown()(inputs)
    artifact = TECHNIQUES.get("static-qint8").convert(
        grown(), Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: inputs)
    )
    with torch.inference_mode():
        first, second = artifact.forward(inputs), artifact.forward(inputs)
    assert torch.equal(first, second)
    assert (first - exact).norm() < 0.1 * exact.norm()


def test_a_layer_whose_kernel_is_wrong_stays_float_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transposed_kernels, "_is_wrong", lambda layer, mapping: layer.kernel_size == (2, 2))
    engine = torch.backends.quantized.supported_engines[-1]
    inputs = torch.rand(4, 16, 8, 8)
    artifact = TECHNIQUES.get("static-qint8").convert(
        grown(), Context(torch.device("cpu"), engine, frozenset(), lambda: inputs)
    )
    assert any(note.endswith("kernel computes them wrongly: 0") for note in artifact.notes)
    assert type(artifact.module.get_submodule("0")) is nn.ConvTranspose2d
