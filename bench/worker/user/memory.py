"""Whether there is memory for a user's model, asked before it is taken: a system that has none left swaps, or kills."""

from __future__ import annotations

from bench.core.units import gibibytes

COPIES = 2
"""Of the weights while a variant is made: the model's, and those that a technique or a runtime makes of them."""


def shortage(weight_bytes: int, free_bytes: int) -> str | None:
    """Return that no variant of so many bytes of weights can be made, in words; ``None`` if one can."""
    needed_bytes = COPIES * weight_bytes
    if needed_bytes <= free_bytes:
        return None
    return (
        f"a variant takes about {gibibytes(needed_bytes)} of memory, {COPIES} times the weights, and "
        f"{gibibytes(free_bytes)} are free"
    )


def variants_at_once(most: int, variants: int, weight_bytes: int, free_bytes: int) -> int:
    """Return how many of a model's ``variants`` may be made at the same time, ``most`` or 1.

    All of them are held at once when they have been made. Where that may be more than there is, each is to see what
    those before it have left.
    """
    needed_bytes = weight_bytes * (variants + (COPIES - 1) * most)
    return most if needed_bytes <= free_bytes else 1
