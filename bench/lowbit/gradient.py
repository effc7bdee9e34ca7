"""Gradients of functions that have none: straight-through estimators (Bengio, Léonard and Courville 2013).

Forward they return exactly the quantized value; ``x + (q - x).detach()`` would return it up to rounding.
"""

from __future__ import annotations

from torch import Tensor


def straight_through(quantized: Tensor, source: Tensor) -> Tensor:
    """Return ``quantized``, whose gradient goes to ``source`` unchanged."""
    return quantized.detach() + (source - source.detach())  # the bracket is exactly 0


def round_through(values: Tensor) -> Tensor:
    """Round half to even, with the gradient of the identity."""
    return straight_through(values.round(), values)


def clip_through(values: Tensor, low: float, high: float) -> Tensor:
    """Return the clipped values, with gradient 1 from ``low`` to ``high``, ends included, and 0 outside.

    The gradient of ``torch.clamp`` at the ends themselves differs between versions.
    """
    inside = values.ge(low) & values.le(high)
    return values.where(inside, values.detach().clamp(low, high))


def sign(values: Tensor) -> Tensor:
    """Return +1 where ``values`` ≥ 0, else −1: two levels; ``torch.sign`` has a third."""
    return values.ge(0).to(values.dtype).mul_(2).sub_(1)


def sign_through(values: Tensor) -> Tensor:
    """Return the sign, with the gradient of the identity."""
    return straight_through(sign(values), values)


def clipped_sign_through(values: Tensor) -> Tensor:
    """Return the sign, with the gradient of the identity where |values| ≤ 1 and none outside (Hubara et al. 2016)."""
    return straight_through(sign(values), clip_through(values, -1, 1))
