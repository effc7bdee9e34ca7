"""Weights of 1 bit: signs as codes, and signs drawn at random."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.techniques.lowbit.gradient import sign


def sign_codes(weight: Tensor) -> Tensor:
    """Return 1 where ``weight`` ≥ 0, else 0, as int32."""
    return (sign(weight) > 0).int()


def signs_of(codes: Tensor) -> Tensor:
    """Return +1 for each code of 1 and −1 for each 0."""
    return 2 * codes.float() - 1


def draw_signs(weight: Tensor) -> Tensor:
    """Return +1 with probability ``clip((w + 1) / 2, 0, 1)``, else −1 (Courbariaux et al. 2015, eq. 2 and 3)."""
    return 2 * torch.bernoulli(((weight + 1) / 2).clamp(0, 1)) - 1
