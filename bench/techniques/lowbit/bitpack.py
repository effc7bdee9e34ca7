"""Integers of k bits as a stream of bytes without gaps: value after value, each with its lowest bit first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

MAX_BITS = 16


def packed_bytes(count: int, bits: int) -> int:
    """Return the length of ``count`` values of ``bits`` bits."""
    return math.ceil(count * bits / 8)


def pack(codes: Tensor, bits: int) -> Tensor:
    """Return the codes, integers from 0 to 2^bits − 1 of any shape, as uint8 ``(packed_bytes,)``.

    Raises ``ValueError`` for a code that does not fit or a width that there is not.
    """
    _require_width(bits)
    values = codes.detach().cpu().reshape(-1).to(torch.int64)
    if len(values) and (int(values.min()) < 0 or int(values.max()) >= 2**bits):
        raise ValueError(f"a code is not within {bits} bits")
    little = values.numpy().astype("<u2").view(np.uint8).reshape(-1, 2)
    every_bit = np.unpackbits(little, axis=1, bitorder="little")[:, :bits]
    return torch.from_numpy(np.packbits(every_bit, bitorder="little"))


def unpack(packed: Tensor, bits: int, shape: Sequence[int]) -> Tensor:
    """Return the codes, int32 of ``shape``; raises ``ValueError`` if the bytes are not as many as they need."""
    _require_width(bits)
    count = math.prod(shape)
    if packed.dtype != torch.uint8 or packed.shape != (packed_bytes(count, bits),):
        raise ValueError(
            f"{count} codes of {bits} bits are {packed_bytes(count, bits)} bytes, not {list(packed.shape)}"
        )
    every_bit = np.unpackbits(packed.cpu().numpy(), bitorder="little", count=count * bits).reshape(count, bits)
    padded = np.zeros((count, MAX_BITS), dtype=np.uint8)
    padded[:, :bits] = every_bit
    values = np.packbits(padded, axis=1, bitorder="little").view("<u2").reshape(-1).astype(np.int32)
    return torch.from_numpy(values).reshape(tuple(shape))


def _require_width(bits: int) -> None:
    if not 1 <= bits <= MAX_BITS:
        raise ValueError(f"codes have 1 to {MAX_BITS} bits, not {bits}")
