"""BatchNorms behind transposed convolutions, folded into them.

torch's FX leaves them apart before a ReLU, and folds them as if there were one group
(``torch/nn/utils/fusion.py``): with more, the shapes do not fit, or are broadcast.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, fx, nn

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fold(model: nn.Module) -> None:
    """Fold them in place, in a model in eval mode; nothing is done where it cannot be traced."""
    if not any(type(part) in TRANSPOSED for part in model.modules()):
        return
    try:
        graph = fx.Tracer().trace(model)
    except Exception:  # of any kind, and the technique will meet it too, and say so
        return
    calls = [node for node in graph.nodes if node.op == "call_module"]
    parts = {node: model.get_submodule(str(node.target)) for node in calls}
    for node, norm in parts.items():
        before = node.args[0]
        layer = parts.get(before) if isinstance(before, fx.Node) else None
        if type(norm) not in NORMS or layer is None or type(layer) not in TRANSPOSED or len(before.users) > 1:
            continue
        if norm.running_mean is None or sum(part in (norm, layer) for part in parts.values()) > 2:
            continue
        _fold(cast(nn.ConvTranspose2d, layer), cast(nn.BatchNorm2d, norm))
        model.set_submodule(str(node.target), nn.Identity())


def _fold(layer: nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> None:
    """Scale the outputs of ``layer``; its weights stand (in, out / groups, …), the inputs group after group."""
    with torch.no_grad():
        scale = torch.rsqrt(cast(Tensor, norm.running_var) + norm.eps) * (norm.weight if norm.affine else 1.0)
        shift = norm.bias if norm.affine else torch.zeros_like(scale)
        bias = torch.zeros_like(scale) if layer.bias is None else layer.bias
        weight = layer.weight.unflatten(0, (layer.groups, -1))
        of_groups = scale.reshape(layer.groups, 1, -1, *[1] * (weight.dim() - 3))
        layer.weight = nn.Parameter((weight * of_groups).flatten(0, 1), requires_grad=False)
        layer.bias = nn.Parameter((bias - cast(Tensor, norm.running_mean)) * scale + shift, requires_grad=False)
