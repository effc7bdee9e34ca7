"""How much of a graph computes with int8 numbers after its runtime optimized it; what a file asks for may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """One operation of an optimized graph."""

    int8: bool
    product: bool
    """Whether it multiplies matrices, as convolutions do."""


def note(operations: Sequence[Operation]) -> str:
    """Return what a reader of the row is told."""
    int8 = sum(operation.int8 for operation in operations)
    left = sum(operation.product and not operation.int8 for operation in operations)
    return (
        f"int8: {int8} of {len(operations)} operations of the optimized graph; {left} float matrix products and "
        f"convolutions are left"
    )
