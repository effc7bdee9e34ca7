"""Straight-through estimators: exact values forward, stated gradients backward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.lowbit.gradient import clipped_sign_through, round_through, sign, sign_through, straight_through

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
UPSTREAM = torch.tensor([1.0, -2.0, 3.0, 0.5, 7.0])


def gradient(function: Callable[[Tensor], Tensor], values: list[float]) -> list[float]:
    """What comes back of ``UPSTREAM``."""
    source = torch.tensor(values, requires_grad=True)
    function(source).backward(UPSTREAM)
    assert source.grad is not None
    return [float(part) for part in source.grad]


@given(finite, finite)
def test_the_value_is_the_quantized_one_to_the_bit(quantized: float, source: float) -> None:
    # source + (quantized - source).detach(), the usual form, is off by rounding, as 0.9 + (0.2 - 0.9) is in float32.
    found = straight_through(torch.tensor(quantized), torch.tensor(source, requires_grad=True))
    assert torch.equal(found.detach(), torch.tensor(quantized))


def test_the_gradient_goes_to_the_source_and_not_to_the_quantized() -> None:
    quantized, source = (torch.ones(5, requires_grad=True) for _ in range(2))
    straight_through(quantized, source).backward(UPSTREAM)
    assert quantized.grad is None
    assert torch.equal(source.grad if source.grad is not None else torch.zeros(()), UPSTREAM)


def test_rounding_goes_to_even_and_passes_the_gradient() -> None:
    values = [0.5, 1.5, 2.5, -0.4, -1.6]
    assert round_through(torch.tensor(values)).tolist() == [0.0, 2.0, 2.0, 0.0, -2.0]
    assert gradient(round_through, values) == UPSTREAM.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_the_sign_has_two_levels_and_that_of_zero_is_plus_one(dtype: torch.dtype) -> None:
    found = sign(torch.tensor([-2.0, -0.0, 0.0, 1e-7, 3.0], dtype=dtype))
    assert found.tolist() == [-1.0, 1.0, 1.0, 1.0, 1.0]
    assert found.dtype == dtype


@given(finite)
def test_every_sign_is_plus_or_minus_one(value: float) -> None:
    assert float(sign(torch.tensor(value))) == (1.0 if value >= 0 else -1.0)


def test_the_gradient_of_the_sign_is_the_identitys() -> None:
    values = [-3.0, -1.0, 0.0, 0.2, 5.0]
    assert torch.equal(sign_through(torch.tensor(values)), sign(torch.tensor(values)))
    assert gradient(sign_through, values) == UPSTREAM.tolist()


def test_the_gradient_of_the_clipped_sign_stops_beyond_one() -> None:
    # Hubara et al. 2016, eq. 4: 1 where |x| ≤ 1, both ends included.
    values = [-3.0, -1.0, 0.0, 1.0, 1.001]
    assert torch.equal(clipped_sign_through(torch.tensor(values)), sign(torch.tensor(values)))
    assert gradient(clipped_sign_through, values) == [0.0, -2.0, 3.0, 0.5, 0.0]
