"""Gradients of functions that have none: straight-through estimators (Bengio, Léonard and Courville 2013).

Forward they return exactly the quantized value; ``x + (q - x).detach()`` would return it up to rounding. They are
autograd functions of their own because activations are large: each pass over one costs as much as a layer's arithmetic.
Masks are 0 and 1 in the type of what they mask: on CPUs that is several times as fast as bool and ``where``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BELOW_ZERO = -torch.finfo(torch.float32).tiny
ABOVE_ONE = 1 + torch.finfo(torch.float32).eps
"""The nearest to the ends of the unit interval that are outside, denormals left aside."""


class _Through(torch.autograd.Function):
    """Return ``quantized``; its gradient goes to ``source`` where ``inside``, everywhere if that is ``None``."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, quantized: Tensor, inside: Tensor | None) -> Tensor:
        ctx.everywhere = inside is None
        if inside is not None:
            ctx.save_for_backward(inside)
        return quantized

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        if ctx.everywhere:
            return gradient, None, None
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None


class _Unit(torch.autograd.Function):
    """Return ``quantized``; its gradient goes to ``source`` where that is from 0 to 1, both included.

    ``hardtanh``'s gradient is one pass over memory, where a mask made beforehand is three and memory of its own. It
    stops at the ends themselves, so they are moved by the least that float32 can tell.
    """

    @staticmethod
    def forward(ctx: Any, source: Tensor, quantized: Tensor) -> Tensor:
        ctx.save_for_backward(source)
        return quantized

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        (source,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, source, BELOW_ZERO, ABOVE_ONE), None


class _Clipped(torch.autograd.Function):
    """Return ``quantized``; its gradient goes to ``source`` where ``inside``, and where ``above`` to ``level``."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, level: Tensor, quantized: Tensor, inside: Tensor, above: Tensor) -> Tensor:
        ctx.save_for_backward(inside, above)
        return quantized

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        (gradient,) = gradients
        inside, above = ctx.saved_tensors
        return gradient * inside, (gradient * above).sum(dtype=torch.float32), None, None, None


class _MeanMagnitude(torch.autograd.Function):
    """Return the mean magnitude along ``dim``, which stays as 1; the gradient lies in memory as the values do.

    Autograd's own would be contiguous, which slows the channels-last BatchNorm before it down by a multiple.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, dim: int) -> Tensor:
        ctx.save_for_backward(values)
        ctx.count = values.shape[dim]
        return values.abs().mean(dim=dim, keepdim=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        (values,) = ctx.saved_tensors
        return values.sgn().mul_(gradient / ctx.count), None


def straight_through(quantized: Tensor, source: Tensor, inside: Tensor | None = None) -> Tensor:
    """Return ``quantized``, whose gradient goes to ``source`` unchanged: everywhere, or where ``inside`` holds."""
    through: Tensor = _Through.apply(source, quantized.detach(), inside)
    return through


def round_through(values: Tensor) -> Tensor:
    """Round half to even, with the gradient of the identity; zero has no sign, as in codes."""
    return straight_through(values.detach().round().add_(0.0), values)


def round_unit(values: Tensor, steps: int) -> Tensor:
    """Return ``round(steps · clip(x, 0, 1)) / steps``, with gradient 1 from 0 to 1, ends included, and 0 outside.

    Computed in float32, since autocast's bfloat16 has too few digits for 8 bits, and returned in the type of x.
    """
    quantized = _copy(values).clamp_(0, 1).mul_(steps).round_().div_(steps)
    rounded: Tensor = _Unit.apply(values, quantized.to(values.dtype))
    return rounded


def round_below(values: Tensor, level: Tensor, steps: int) -> Tensor:
    """Return ``round(steps · clip(x, 0, α) / α) α / steps`` for the scalar ``level`` α, as ``round_unit`` does.

    The gradient of x is 1 where 0 ≤ x < α, that of α is 1 where x ≥ α.
    """
    alpha = level.detach()
    above = _mask(torch.ge, values, alpha)
    inside = _mask(torch.ge, values, 0).sub_(above)
    quantized = _copy(values).clamp_min_(0).clamp_max_(alpha).mul_(steps).div_(alpha).round_().mul_(alpha).div_(steps)
    clipped: Tensor = _Clipped.apply(values, level, quantized.to(values.dtype), inside, above)
    return clipped


def within(values: Tensor, low: float, high: float) -> Tensor:
    """Return the mask of ``low`` ≤ x ≤ ``high``."""
    return _mask(torch.ge, values, low).mul_(_mask(torch.le, values, high))


def _mask(compare: Any, values: Tensor, bound: float | Tensor) -> Tensor:
    mask: Tensor = compare(values.detach(), bound, out=torch.empty_like(values, requires_grad=False))
    return mask


def _copy(values: Tensor) -> Tensor:
    return values.detach().to(torch.float32, copy=True)


def mean_magnitude(values: Tensor, dim: int) -> Tensor:
    """Return the mean of |x| along ``dim``, which stays as 1."""
    mean: Tensor = _MeanMagnitude.apply(values, dim)
    return mean


def sign(values: Tensor) -> Tensor:
    """Return +1 where ``values`` ≥ 0, else −1: two levels; ``torch.sign`` has a third."""
    return _mask(torch.ge, values, 0).mul_(2).sub_(1)


def sign_through(values: Tensor) -> Tensor:
    """Return the sign, with the gradient of the identity."""
    return straight_through(sign(values), values)


def clipped_sign_through(values: Tensor) -> Tensor:
    """Return the sign, with the gradient of the identity where |values| ≤ 1 and none outside (Hubara et al. 2016)."""
    return straight_through(sign(values), values, within(values, -1, 1))
