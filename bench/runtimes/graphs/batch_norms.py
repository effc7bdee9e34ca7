"""A network without BatchNorms: those after a convolution are folded into it, the others become a scale and a shift.

torchao's PT2E folds a BatchNorm into the convolution before it even if something else uses that convolution's output,
as the shortcut of a pre-activation ResNet does: its float model answers wrongly already. And while a BatchNorm is left,
``convert_pt2e`` looks for each of its patterns, which takes a minute.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Affine(nn.Module):
    """What a BatchNorm computes in eval mode, with its statistics as constants; channels are the second dimension."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        scale = torch.rsqrt(variance + norm.eps)
        shift = -mean * scale
        if norm.affine:
            scale, shift = norm.weight * scale, norm.bias + shift * norm.weight
        dimensions = {nn.BatchNorm1d: 0, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}[type(norm)]
        shape = (1, -1, *[1] * dimensions)
        self.register_buffer("scale", scale.detach().reshape(shape))
        self.register_buffer("shift", shift.detach().reshape(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Scale and shift each channel."""
        return inputs * self.scale + self.shift


def without_batch_norms(model: nn.Module) -> nn.Module:
    """Return the traced model with no BatchNorm left, unchanged if it has none; it computes the same in eval mode."""
    if not any(isinstance(part, Norm) for part in model.modules()):
        return model
    traced = fx.symbolic_trace(model)
    for node in list(traced.graph.nodes):
        norm = _called(traced, node)
        if not isinstance(norm, Norm) or type(norm) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            continue
        before = node.args[0]
        convolution = _called(traced, before)
        if isinstance(convolution, CONVOLUTIONS) and len(before.users) == 1:
            traced.set_submodule(before.target, fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
        else:
            traced.set_submodule(node.target, Affine(norm))
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced.eval().requires_grad_(False)


def _called(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None
