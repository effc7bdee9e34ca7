"""Tables: what stands in them, and how they become markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from bench.core.units import MISSING

TEXT = {
    *(
        "",
        "Model",
        "Question",
        "Tried",
        "Found",
        "Bound",
        "Reached",
        "Recipe",
        "Layer",
        "Block",
        "Stage",
        "CPU",
        "Device",
        "Verdict",
    ),
    *("By dtype (bytes)", "Accuracy change"),
}
"""Columns that are read from the left though a cell may begin as a number does, or all miss."""
_JUDGED = re.compile(r"Speed-up B\d+")
"""Names of columns in which a word may follow the figure."""
_NUMBER = re.compile(r"[-+−±]?\d")


class Figure(str):
    """A figure as people read it, the number behind it, by which a page sorts, and the verdict on it, if any."""

    number: float
    word: str

    __slots__ = ("number", "word")

    def __new__(cls, text: str, number: float, word: str = "") -> Figure:
        """Take the text, the number behind it, and the verdict, which follows the text."""
        figure = super().__new__(cls, f"{text} {word}".strip())
        figure.number, figure.word = number, word
        return figure


Paint = Callable[[Figure], str]
"""Returns a figure as a terminal shows it."""


def verdict(word: str) -> Figure:
    """Return a verdict as a cell of its own."""
    return Figure("", math.nan, word)


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

    def markdown(self, paint: Paint = str) -> str:
        """Return title, caption, table and remarks; ``paint`` may colour a figure by its verdict."""
        rows = [[paint(cell) if isinstance(cell, Figure) else cell for cell in row] for row in self.rows]
        align = read_from_left(self.rows, self.header)
        parts = [f"### {self.title}" if self.title else "", self.caption, _aligned(rows, self.header, align)]
        parts.append("\n".join(f"- {remark}" for remark in self.remarks))
        return "\n\n".join(part for part in parts if part)


def read_from_left(rows: Sequence[Sequence[object]], header: Sequence[str]) -> list[bool]:
    """Say of each column whether it is text: by its name, or as no cell begins as a number does and not all miss."""
    cells = [[str(cell) for cell in column] for column in zip(*rows, strict=True)] if rows else [[] for _ in header]
    return [
        name in TEXT
        or _JUDGED.fullmatch(name) is not None
        or not (any(map(_NUMBER.match, column)) or all(cell == MISSING for cell in column))
        for name, column in zip(header, cells, strict=True)
    ]


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Return a table in markdown; empty for no rows."""
    return _aligned(rows, header, read_from_left(rows, header))


def _aligned(rows: Sequence[Sequence[object]], header: Sequence[str], from_left: Sequence[bool]) -> str:
    if not rows:
        return ""
    align = ["left" if text else "right" for text in from_left]
    cells = [[_cell(cell) for cell in row] for row in rows]
    return tabulate(cells, header, tablefmt="pipe", colalign=align, disable_numparse=True)


def _cell(cell: object) -> str:
    """Return what stands in a cell, which no line and no bar can leave."""
    return " ".join(str(cell).splitlines()).replace("|", "\\|")
