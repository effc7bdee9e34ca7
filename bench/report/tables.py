"""Tables: what stands in them, and the one place that aligns the columns of markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
}
"""Columns that are read from the left."""


class Figure(str):
    """A figure as people read it, and the number behind it, by which a page sorts."""

    number: float

    __slots__ = ("number",)

    def __new__(cls, text: str, number: float) -> Figure:
        """Take the text, and the number behind it."""
        figure = super().__new__(cls, text)
        figure.number = number
        return figure


@dataclass(frozen=True)
class Table:
    """A table before it is rendered."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    caption: str = ""
    """A sentence above it, in markdown."""
    remarks: Sequence[str] = ()
    """Sentences below it, in markdown."""

    def markdown(self) -> str:
        """Return title, caption, table and remarks."""
        parts = [f"### {self.title}" if self.title else "", self.caption, table(self.rows, self.header)]
        parts.append("\n".join(f"- {remark}" for remark in self.remarks))
        return "\n\n".join(part for part in parts if part)


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Return a table; empty for no rows."""
    align = ["left" if name in TEXT else "right" for name in header]
    return tabulate(rows, headers=list(header), tablefmt="pipe", colalign=align, disable_numparse=True) if rows else ""
