"""Low-bit techniques and layers for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.techniques.base import TECHNIQUES, Artifact, Context
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.layers import LowBitLayer, low_bit_layers

WIDTHS = (1, 2, 3, 4, 5, 8, 16)
TRAINED = [
    *(f"{family}:w{bits}" for family in ("dorefa", "pact", "wrpn") for bits in WIDTHS),
    *(f"dorefa:w{bits},max-tanh" for bits in WIDTHS if bits > 1),
    "bwn",
    "xnor",
    "binaryconnect",
]
CALIBRATED = [
    f"range-linear:w{bits},{mode},{granularity}"
    for bits in (2, 3, 4, 8, 16)
    for mode in ("sym", "sym-restricted", "asym-unsigned", "asym-signed")
    for granularity in ("per-tensor", "per-channel")
]


def low_bit(name: str) -> LowBit:
    technique = TECHNIQUES.get(name)
    assert isinstance(technique, LowBit)
    return technique


def second_layer(name: str, width: int = 5) -> LowBitLayer:
    """The second of two Linear layers, whose inputs are quantized: with weights of 32 bits it returns just these."""
    network = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width, bias=False))
    _, layer = low_bit_layers(low_bit(name).prepare(network)).values()
    with torch.no_grad():
        layer.weight.copy_(torch.eye(width))
    return layer


def quantized(name: str, inputs: list[float]) -> list[float]:
    """The inputs as a layer multiplies them."""
    with torch.no_grad():
        found: list[float] = second_layer(name, len(inputs))(torch.tensor([inputs]))[0].tolist()
    return found


def input_gradient(name: str, inputs: list[float]) -> list[float]:
    """Of the sum of the inputs as a layer multiplies them."""
    source = torch.tensor([inputs], requires_grad=True)
    second_layer(name, len(inputs))(source).sum().backward()
    return gradient_of(source)[0].tolist()


def gradient_of(source: Tensor) -> Tensor:
    assert source.grad is not None
    return source.grad


def weight_gradient(name: str, weight: Tensor, upstream: Tensor) -> Tensor:
    source = weight.clone().requires_grad_()
    low_bit(name).weight(source).backward(upstream)
    return gradient_of(source)


def convert(name: str, network: nn.Module, calibration: Tensor) -> Artifact:
    return low_bit(name).convert(network, Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: calibration))
