"""Entries of a state dict to JSON and values, and back, to the last bit."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.storage.state_codec import Reader, Writer, form, narrow
from bench.techniques.torch_quantization import quiet


def bits(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def round_trip(value: object) -> object:
    writer = Writer()
    entry = json.loads(json.dumps(writer.encode(value)))
    reader = Reader(writer.tensors())
    result = reader.decode(entry)
    reader.finish()
    assert form(result) == form(value)
    return result


def back(tensor: Tensor) -> Tensor:
    result = round_trip(tensor)
    assert isinstance(result, Tensor)
    return result


BIT_PATTERNS = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=40)


@given(BIT_PATTERNS)
def test_any_float32_comes_back_bit_by_bit(patterns: list[int]) -> None:
    tensor = torch.tensor(patterns, dtype=torch.int32).view(torch.float32)
    assert torch.equal(bits(back(tensor)), bits(tensor))


@given(st.lists(st.integers(0, 2**16 - 1), max_size=40), st.sampled_from([torch.float16, torch.bfloat16]))
def test_any_short_float_comes_back_bit_by_bit_also_from_a_longer_type(patterns: list[int], short: torch.dtype) -> None:
    tensor = torch.tensor(patterns, dtype=torch.int32).to(torch.int16).view(short)
    assert torch.equal(bits(back(tensor)), bits(tensor))
    for longer in (tensor.float(), tensor.double()):
        assert torch.equal(bits(back(longer)), bits(longer))
        assert tensor.isnan().any() or narrow(longer).itemsize <= 2


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_any_float64_and_int64_come_back_bit_by_bit(patterns: list[int]) -> None:
    tensor = torch.tensor(patterns, dtype=torch.int64)
    assert torch.equal(back(tensor), tensor)
    assert torch.equal(bits(back(tensor.view(torch.float64))), bits(tensor))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_integers_take_the_shortest_type_that_holds_them(values: list[int]) -> None:
    length = narrow(torch.tensor(values)).itemsize
    assert length == next(
        n for n in (1, 2, 4, 8) if -(2 ** (8 * n - 1)) <= min(values) and max(values) < 2 ** (8 * n - 1)
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, -0.0, 1.0, -math.inf, 65504.0], torch.float16),
        ([2.0**-24], torch.float16),  # its smallest subnormal
        ([2.0**-25], torch.bfloat16),
        ([65536.0], torch.bfloat16),
        ([65504.0, 65536.0], torch.float32),  # each would fit into one of them
        ([2.0**-149], torch.float32),  # float32's smallest subnormal
        ([0.1], torch.float32),
        ([1.0, math.nan], torch.float32),
        ([], torch.float16),
    ],
)
def test_floats_take_the_shortest_type_that_holds_them(values: list[float], expected: torch.dtype) -> None:
    tensor = torch.tensor(values, dtype=torch.float32)
    assert narrow(tensor).dtype == expected
    assert torch.equal(bits(back(tensor)), bits(tensor))


def test_subnormals_survive_where_the_processor_flushes_them() -> None:
    tensor = torch.tensor([1 << 13, -(1 << 31) + (1 << 13), 1 << 23], dtype=torch.int32).view(torch.float32)
    torch.set_flush_denormal(True)
    try:
        assert torch.equal(bits(back(tensor)), bits(tensor))
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize(
    "value",
    [None, 3, -0.0, 0.1, True, math.inf, torch.qint8, torch.float16, (None, (1, torch.ones(2)), torch.quint8), ()],
)
def test_what_is_no_tensor_goes_into_the_manifest(value: object) -> None:
    assert repr(round_trip(value)) == repr(value)


@pytest.mark.parametrize("dtype", [torch.qint8, torch.quint8, torch.qint32])
def test_a_tensor_quantized_per_tensor(dtype: torch.dtype) -> None:
    with quiet():
        tensor = torch.quantize_per_tensor(torch.randn(3, 5), 0.1 + 1e-17, 7, dtype)
        result = back(tensor)
    assert torch.equal(result.int_repr(), tensor.int_repr())
    assert (result.q_scale(), result.q_zero_point()) == (tensor.q_scale(), 7)


def test_a_tensor_quantized_per_channel() -> None:
    scales, zero_points = torch.rand(4, dtype=torch.float64), torch.tensor([0, 1, -128, 127])
    images = torch.randn(2, 4, 3, 3).to(memory_format=torch.channels_last)
    with quiet():
        tensor = torch.quantize_per_channel(images, scales, zero_points, 1, torch.qint8)
        result = back(tensor)
    assert torch.equal(result.int_repr(), tensor.int_repr())
    assert torch.equal(result.q_per_channel_scales(), scales)
    assert torch.equal(result.q_per_channel_zero_points(), zero_points)
    assert result.q_per_channel_axis() == 1


def test_a_layout_in_memory_is_not_part_of_the_values() -> None:
    images = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    assert torch.equal(back(images), images)
    assert torch.equal(back(images[:, 1, ::2].mT), images[:, 1, ::2].mT)


def test_a_rebuilt_tensor_owns_its_memory() -> None:
    # Else a bias of ten values would keep a whole file in memory.
    writer = Writer()
    entries = [writer.encode(torch.full((n,), 0.1)) for n in (1000, 10)]
    reader = Reader(writer.tensors())
    tensors = [reader.decode(entry) for entry in entries]
    assert isinstance(tensors[1], Tensor)
    assert tensors[1].untyped_storage().nbytes() == 40


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("text", "str"),
        ([1], "list"),
        (torch.zeros(2).to_sparse(), "float32 tensor"),
        (torch.complex64, "dtype"),
    ],
)
def test_what_has_no_form_is_named(value: object, what: str) -> None:
    with pytest.raises(TypeError, match=f"no form for a {what}"):
        Writer().encode(value)


def test_values_that_no_entry_takes_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 values of int8 belong to no entry"):
        Reader({"int8": torch.zeros(2, dtype=torch.int8)}).finish()
