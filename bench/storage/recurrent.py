"""What dynamic quantization packs of an LSTM or GRU: objects of torch's, taken apart into tensors and made again.

A Linear is ``(half, weight, bias)``; a cell, which has one for its inputs and one for its state,
``(half, weight, bias, weight, bias, bias, bias, reduce_range)``, the last three without ``half`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

CELL = "torch.classes.rnn.CellParamsBase"
HALF = "quantized_fp16"


def parts(packed: torch.ScriptObject) -> tuple[Any, ...]:
    """Return what is in a packed object; raises ``TypeError`` for one of another kind."""
    kind = packed._type().qualified_name()
    if kind.endswith("LinearPackedParamsBase"):
        return (False, *_unpacked(packed, half=False))
    if not kind.endswith(CELL):
        raise TypeError(f"a packed file has no form for a {kind.rpartition('.')[2]}")
    state: Any = packed.__getstate__()
    name, biases, _, integers, linears = state[0]
    half = name == HALF
    weights = [part for linear in linears for part in _unpacked(linear, half)]
    return (half, *weights) if half else (half, *weights, *(bias.detach() for bias in biases), int(integers[0]))


def packed(values: Sequence[Any]) -> object:
    """Return the object of these parts; raises ``ValueError`` or ``RuntimeError`` where there is none."""
    operators = torch.ops.quantized
    half, *rest = values
    prepack = operators.linear_prepack_fp16 if half else operators.linear_prepack
    if len(rest) == 2:
        return prepack(*rest)
    if len(rest) != (4 if half else 7):
        raise ValueError(f"a packed layer has no {len(values)} parts")
    inputs, state = prepack(*rest[:2]), prepack(*rest[2:4])
    if half:
        return operators.make_quantized_cell_params_fp16(inputs, state)
    return operators.make_quantized_cell_params_dynamic(inputs, state, *rest[4:6], bool(rest[6]))


def _unpacked(linear: Any, half: bool) -> tuple[Any, Any]:
    unpack = torch.ops.quantized.linear_unpack_fp16 if half else torch.ops.quantized.linear_unpack
    weight, bias = unpack(linear)
    return weight, None if bias is None else bias.detach()
