"""Weights that are computed at each call, by ``weight_norm`` and the like: int8 layers take them as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.units import counted

if TYPE_CHECKING:
    from torch import nn


def fold(model: nn.Module) -> tuple[str, ...]:
    """Make the weights of normed layers plain parameters, in place; return a note if there were any.

    A norm is the old hook (``torch.nn.utils.weight_norm``) or a parametrization.
    """
    from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
    from torch.nn.utils.spectral_norm import SpectralNorm
    from torch.nn.utils.weight_norm import WeightNorm

    folded = 0
    for part in list(model.modules()):
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm | SpectralNorm):
                remove = remove_weight_norm if isinstance(hook, WeightNorm) else remove_spectral_norm
                remove(part, hook.name)
                folded += 1
        if parametrize.is_parametrized(part):
            # A copy has the very class of what it is a copy of, and what is removed from the class is gone in both.
            kind = type(part)
            attributes = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
            part.__class__ = type(kind.__name__, kind.__bases__, attributes)
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name)
                folded += 1
    return (f"weight norm is folded into {counted(folded, 'weight')}, and has no parameters here",) if folded else ()


def entries(model: nn.Module) -> set[str]:
    """Return the entries of the state dict that normed weights are computed from."""
    from torch.nn.utils import parametrize
    from torch.nn.utils.spectral_norm import SpectralNorm
    from torch.nn.utils.weight_norm import WeightNorm

    starts = []
    for name, part in model.named_modules():
        prefix = f"{name}." if name else ""
        hooks = [hook for hook in part._forward_pre_hooks.values() if isinstance(hook, WeightNorm | SpectralNorm)]
        starts += [f"{prefix}{hook.name}_" for hook in hooks]
        if parametrize.is_parametrized(part):
            starts.append(f"{prefix}parametrizations.")
    return {entry for entry in model.state_dict() if entry.startswith(tuple(starts))} if starts else set()
