"""Codes of k bits as bytes: nothing lost, nothing wasted."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.techniques.lowbit.bitpack import pack, packed_bytes, unpack


@st.composite
def coded(draw: st.DrawFn) -> tuple[Tensor, int]:
    """Codes of any shape, empty ones and single values among them, and their width."""
    bits = draw(st.integers(1, 16))
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    count = math.prod(shape)
    values = draw(st.lists(st.integers(0, 2**bits - 1), min_size=count, max_size=count))
    return torch.tensor(values, dtype=torch.int32).reshape(shape), bits


@given(coded())
def test_codes_come_back_in_their_shape(sample: tuple[Tensor, int]) -> None:
    codes, bits = sample
    found = unpack(pack(codes, bits), bits, codes.shape)
    assert found.dtype == torch.int32
    assert torch.equal(found, codes)


@given(coded())
def test_the_bytes_are_one_little_endian_integer(sample: tuple[Tensor, int]) -> None:
    codes, bits = sample
    packed = pack(codes, bits)
    number = sum(code << bits * index for index, code in enumerate(codes.flatten().tolist()))
    assert packed.dtype == torch.uint8
    assert bytes(packed.tolist()) == number.to_bytes(packed_bytes(codes.numel(), bits), "little")


@pytest.mark.parametrize(
    ("codes", "bits", "expected"),
    [
        ([1, 0, 1, 1, 0, 0, 0, 0, 1], 1, [0b1101, 1]),
        ([3, 0, 1, 2], 2, [0b10_01_00_11]),
        ([1, 2, 3], 3, [0b11_010_001, 0]),  # the last bit of 3 opens the second byte
        ([0xA, 0xB], 4, [0xBA]),
        ([7, 255], 8, [7, 255]),
        ([0xABC, 0x123], 12, [0xBC, 0x3A, 0x12]),
        ([0x1234], 16, [0x34, 0x12]),
        ([], 5, []),
    ],
)
def test_worked_bytes(codes: list[int], bits: int, expected: list[int]) -> None:
    assert pack(torch.tensor(codes, dtype=torch.int64), bits).tolist() == expected


@pytest.mark.parametrize(
    ("count", "bits", "expected"),
    # The last two: a ResNet-20's 3×3 convolutions.
    [(0, 3, 0), (1, 1, 1), (8, 1, 1), (9, 1, 2), (3, 3, 2), (8, 3, 3), (267_264, 1, 33_408), (267_264, 3, 100_224)],
)
def test_lengths(count: int, bits: int, expected: int) -> None:
    assert packed_bytes(count, bits) == expected
    assert len(pack(torch.zeros(count, dtype=torch.int32), bits)) == expected


def test_the_order_is_that_of_the_indices_whatever_the_memory_format() -> None:
    codes = torch.arange(2 * 3 * 2 * 2, dtype=torch.int32).reshape(2, 3, 2, 2)
    assert torch.equal(pack(codes.to(memory_format=torch.channels_last), 5), pack(codes, 5))


@pytest.mark.parametrize(("code", "bits"), [(2, 1), (8, 3), (-1, 4), (65_536, 16)])
def test_a_code_that_does_not_fit_is_refused(code: int, bits: int) -> None:
    with pytest.raises(ValueError, match=f"a code is not within {bits} bits"):
        pack(torch.tensor([0, code]), bits)


@pytest.mark.parametrize("bits", [-1, 0, 17, 32])
def test_a_width_that_there_is_not_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 16 bits, not {bits}"):
        pack(torch.zeros(4, dtype=torch.int32), bits)
    with pytest.raises(ValueError, match=f"1 to 16 bits, not {bits}"):
        unpack(torch.zeros(4, dtype=torch.uint8), bits, (4,))


@pytest.mark.parametrize(
    "packed",
    [
        torch.zeros(1, dtype=torch.uint8),
        torch.zeros(3, dtype=torch.uint8),
        torch.zeros(1, 2, dtype=torch.uint8),
        torch.zeros(2, dtype=torch.int32),
    ],
)
def test_bytes_that_are_not_as_many_as_the_codes_need_are_refused(packed: Tensor) -> None:
    with pytest.raises(ValueError, match="5 codes of 3 bits are 2 bytes, not "):
        unpack(packed, 3, (5,))
