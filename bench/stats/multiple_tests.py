"""Many tests at once: p-values adjusted for being that many (Holm 1979)."""

from __future__ import annotations

from collections.abc import Sequence

LATENCY_ALPHA = 0.005
"""Of a verdict on latency: a report gives dozens, so that one in twenty would be wrong in most of them."""
ACCURACY_ALPHA = 0.05
"""Of a verdict on accuracy: a loss that is missed costs a user more than one that is suspected."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being this many (Holm 1979): reject those that are still below alpha."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted


def holm_levels(adjusted: Sequence[float], alpha: float) -> list[float]:
    """Return up to which p-value each of these adjusted ones would be up to ``alpha``, the others being as they are."""
    rejected = sum(p_value <= alpha for p_value in adjusted)
    return [alpha / (len(adjusted) - rejected + (p_value <= alpha)) for p_value in adjusted]
