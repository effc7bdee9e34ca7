"""Straight-through estimators: exact values forward, stated gradients backward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.techniques.lowbit.gradient import (
    clipped_sign_through,
    round_below,
    round_through,
    round_unit,
    sign,
    sign_through,
    straight_through,
    within,
)

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
    outputs = straight_through(torch.tensor(quantized), torch.tensor(source, requires_grad=True))
    assert torch.equal(outputs.detach(), torch.tensor(quantized))


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
    outputs = sign(torch.tensor([-2.0, -0.0, 0.0, 1e-7, 3.0], dtype=dtype))
    assert outputs.tolist() == [-1.0, 1.0, 1.0, 1.0, 1.0]
    assert outputs.dtype == dtype


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


def test_rounding_within_the_unit_interval_has_the_gradient_of_clipping() -> None:
    values = [-0.5, 0.0, 0.4, 1.0, 1.5]
    assert torch.equal(round_unit(torch.tensor(values), steps=3), torch.tensor([0.0, 0.0, 1 / 3, 1.0, 1.0]))
    assert gradient(lambda source: round_unit(source, steps=3), values) == [0.0, -2.0, 3.0, 0.5, 0.0]


@given(st.lists(st.floats(-2, 2, width=32), min_size=1), st.sampled_from([1, 3, 15, 255]))
def test_rounding_within_the_unit_interval_is_the_equation(values: list[float], steps: int) -> None:
    source = torch.tensor(values)
    assert torch.equal(round_unit(source, steps), (source.clamp(0, 1) * steps).round() / steps)


def test_what_autocast_gives_is_rounded_in_float32_and_returned_in_its_type() -> None:
    source = torch.tensor([0.3008, 0.7031], dtype=torch.bfloat16, requires_grad=True)
    outputs = round_unit(source, steps=255)
    assert outputs.dtype == torch.bfloat16
    assert torch.equal(outputs, ((source.detach().float() * 255).round() / 255).bfloat16())
    outputs.sum().backward()
    assert source.grad is not None
    assert source.grad.dtype == torch.bfloat16


def test_the_gradient_of_a_learned_level_is_that_of_what_lies_above_it() -> None:
    values, level = [-1.0, 0.0, 1.0, 2.0, 3.0], torch.tensor(2.0, requires_grad=True)
    assert gradient(lambda source: round_below(source, level, steps=2), values) == [0.0, -2.0, 3.0, 0.0, 0.0]
    assert level.grad == torch.tensor(0.5 + 7.0)
    assert round_below(torch.tensor(values), level, steps=2).tolist() == [0.0, 0.0, 1.0, 2.0, 2.0]


def test_the_ends_are_within() -> None:
    assert within(torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5, float("nan")]), -1, 1).tolist() == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_unit_intervals_gradient_is_the_mask_of_its_ends(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    around = torch.tensor([0.0, -0.0, 1.0, -1e-4, 1.01, 0.992])
    values = torch.cat([torch.randn(500, generator=generator), around]).to(dtype).requires_grad_()
    upstream = torch.randn(506, generator=generator).to(dtype)
    round_unit(values, steps=3).backward(upstream)
    assert values.grad is not None
    assert torch.equal(values.grad, upstream * ((values >= 0) & (values <= 1)))
