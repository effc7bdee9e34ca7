"""A user's module made ready, or refused in a sentence that says what to do."""

from __future__ import annotations

import torch
from torch import nn

from bench.core.class_names import class_title
from bench.core.errors import UserModelError


def uncompiled(module: nn.Module) -> tuple[nn.Module, bool]:
    """Return the module that ``torch.compile`` was given, parts included, and whether there was one.

    A compiled program would go on with the float32 weights, and a copy of it is not compiled any more.
    """
    compiled = _is_compiled(module)
    while _is_compiled(module):
        module = module._orig_mod  # type: ignore[assignment]
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and _is_compiled(child):
                parent._modules[name], compiled = uncompiled(child)[0], True
        if parent._compiled_call_impl is not None:  # of Module.compile()
            parent._compiled_call_impl, compiled = None, True
    return module, compiled


def _is_compiled(module: nn.Module) -> bool:
    return type(module).__name__ == "OptimizedModule" and "_orig_mod" in module._modules


def require_usable(module: nn.Module, words: str) -> None:
    """Raise ``UserModelError`` for weights of another type than float32, of no shape yet, or without values."""
    lazy = next((part for part in module.modules() if _has_lazy(part)), None)
    if lazy is not None:
        raise UserModelError(
            f"{words} gives a model with a {class_title(type(lazy))} that has no weights yet; call the model once with "
            f"an input before you return it."
        )
    if meta := [name for name, value in module.state_dict().items() if getattr(value, "is_meta", False)]:
        raise UserModelError(
            f"{words} gives a model on the meta device, where {meta[0]} has no values; build it on the CPU, or load "
            f"the weights with load_state_dict(…, assign=True)."
        )
    others = {str(value.dtype) for value in module.parameters() if value.is_floating_point()} - {"torch.float32"}
    if others:
        name = min(others).removeprefix("torch.")
        raise UserModelError(
            f"{words} gives a model of {name} weights, and techniques start from float32 ones; call .float()."
        )


def _has_lazy(part: nn.Module) -> bool:
    values = (*part._parameters.values(), *part._buffers.values())
    return any(value is not None and torch.nn.parameter.is_lazy(value) for value in values)
