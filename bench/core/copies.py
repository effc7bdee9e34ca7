"""Copies of modules, of those too that hold tensors with a history, which ``copy.deepcopy`` refuses."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

T = TypeVar("T")


def copy_of(value: T, *modules: nn.Module) -> T:
    """Return a deep copy; ``modules`` are those within, where ``value`` is no module itself.

    ``weight_norm`` leaves the weight that it computed in the module: of such tensors the values are copied alone.
    """
    within = modules or ((value,) if isinstance(value, nn.Module) else ())
    parts = [part for module in within for part in module.modules()]
    computed = [held for part in parts for held in vars(part).values() if isinstance(held, Tensor) and not held.is_leaf]
    return copy.deepcopy(value, {id(held): held.detach().clone() for held in computed})
