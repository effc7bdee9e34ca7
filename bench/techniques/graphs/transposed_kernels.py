"""Transposed convolutions whose int8 kernel of torch computes something else: each kind is tried before it is used.

fbgemm's, of torch 2.14, is wrong for kernels of 2 x 2, and its answers differ from call to call.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch.ao.quantization import QConfigMapping

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SIDE = 8
MOST = 0.2
"""The error, relative to the exact outputs, beyond which it is not rounding; that is 0.01 to 0.03."""


def wrong_kernels(model: nn.Module, mapping: QConfigMapping) -> list[str]:
    """Return the names of the layers whose kind the current engine computes wrongly, quantized as ``mapping`` says."""
    wrong: dict[str, bool] = {}
    names = []
    for name, layer in model.named_modules():
        if isinstance(layer, TRANSPOSED):
            kind = repr(layer)
            if kind not in wrong:
                wrong[kind] = _is_wrong(layer, mapping)
            if wrong[kind]:
                names.append(name)
    return names


def _is_wrong(layer: Transposed, mapping: QConfigMapping) -> bool:
    """Quantize a layer of the same kind with other weights, so that those of ``layer`` do not decide."""
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    dimensions = len(layer.kernel_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        alike = copy.deepcopy(layer)
        alike.reset_parameters()
        network = nn.Sequential(alike).eval()
        inputs = torch.rand(2, layer.in_channels, *[SIDE] * dimensions)
    try:
        with torch.inference_mode():
            exact = network(inputs)
            prepared = prepare_fx(network, mapping, (inputs,))
            prepared(inputs)
            answers = convert_fx(prepared)(inputs)
    except Exception:  # what cannot be converted at all is said where the model is
        return False
    return not bool((answers - exact).norm() <= MOST * exact.norm())
