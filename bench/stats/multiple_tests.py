"""Many tests at once: p-values adjusted for being that many (Holm 1979)."""

from __future__ import annotations

from collections.abc import Sequence

ALPHA = 0.001
"""A verdict other than "no difference detected" is given where at most this share of equals would get one."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being this many (Holm 1979): reject those that are still below alpha."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted


def holm_levels(adjusted: Sequence[float]) -> list[float]:
    """Return below which p-value each of these adjusted ones would be below ``ALPHA``, the others being as they are."""
    rejected = sum(p_value < ALPHA for p_value in adjusted)
    return [ALPHA / (len(adjusted) - rejected + (p_value < ALPHA)) for p_value in adjusted]
