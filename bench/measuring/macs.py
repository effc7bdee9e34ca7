"""Multiply-accumulates of one example: the arithmetic of a model on any machine."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.core.inputs import Inputs


def count_macs(module: nn.Module, example: Inputs | Tensor) -> int:
    """Return the multiply-accumulates of a forward pass of the float model on a batch of one.

    Counts matrix products and convolutions, with the zeros that pad an image; a multiply-accumulate is two of
    ``FlopCounterMode``'s FLOPs. Does not count biases, BatchNorm, activations, pooling and additions, nor the
    packed kernels of quantized modules, which make the same products. Nothing is computed on the meta device.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        Inputs.of(example).call(module)
    return int(counter.get_total_flops()) // 2
