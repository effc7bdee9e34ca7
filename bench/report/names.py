"""How rows and their differences are called in a sentence, in markdown."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results.row import Row


def named(row: Row) -> str:
    """Return model and variant."""
    return f"`{row.full_model}` `{row.key}`"


def together(rows: Sequence[Row], task: bool = False) -> str:
    """Return models, each with its variants, none twice; with the ``task`` where rows of several stand together."""
    by_model: dict[str, dict[str, None]] = {}
    for row in rows:
        by_model.setdefault(row.full_model if task else row.model, {})[f"`{row.key}`"] = None
    return "; ".join(f"`{model}` {', '.join(variants)}" for model, variants in by_model.items())


def points(difference: float | None) -> str:
    """Return a difference of accuracies, in percentage points, with its sign."""
    return f"{difference or 0.0:+.2f} points".replace("-", "−")
