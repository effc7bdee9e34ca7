"""How much of a graph computes with int8 numbers after its runtime optimized it; what a file asks for may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.errors import UnsupportedError
from bench.results.row import Int8Operations


@dataclass(frozen=True)
class Operation:
    """One operation of an optimized graph."""

    int8: bool
    product: bool
    """Whether it multiplies matrices, as convolutions do."""


def count(operations: Sequence[Operation]) -> Int8Operations:
    """Count them; raises ``UnsupportedError`` if none is int8: the row would be float32's under another name."""
    int8 = sum(operation.int8 for operation in operations)
    if not int8:
        raise UnsupportedError("no operation of the optimized graph would compute with int8 numbers; measure fp32")
    left = sum(operation.product and not operation.int8 for operation in operations)
    return Int8Operations(int8=int8, total=len(operations), float_products=left)
