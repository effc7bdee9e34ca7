"""How a row and its differences are called in a sentence, in markdown."""

from __future__ import annotations

from bench.results.row import Row


def named(row: Row) -> str:
    """Return model and variant."""
    return f"`{row.full_model}` `{row.key}`"


def points(difference: float | None) -> str:
    """Return a difference of accuracies, in percentage points, with its sign."""
    return f"{difference or 0.0:+.2f} points".replace("-", "−")
