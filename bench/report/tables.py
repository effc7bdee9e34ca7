"""Markdown tables: the one place that aligns columns."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

TEXT = {
    "",
    "Model",
    "Q",
    "dtype",
    "Technique",
    "Verdict",
    "By dtype (bytes)",
    "Network",
    "Trained in",
    "Optimizer",
    "Recipe",
    "Question",
    "Tried",
    "Found",
    "Bound",
    "Reached",
    "Layer",
    "Rule",
    "CPU",
    "Instruction sets",
    "Device",
    "Engine",
}
"""Columns that are read from the left."""


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Return a table; empty for no rows."""
    align = ["left" if name in TEXT else "right" for name in header]
    return tabulate(rows, headers=list(header), tablefmt="pipe", colalign=align, disable_numparse=True) if rows else ""
