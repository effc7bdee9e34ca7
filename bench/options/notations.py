"""Values that the command line writes in a way of its own: ``2%``, ``0.5pp``, ``32,8,1``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Notation:
    """A way to write values, and back."""

    description: str
    """What a text must be, with an example."""
    read: Callable[[str], Any]
    """Raises ``ValueError``."""
    write: Callable[[Any], str]


def _read_share(text: str) -> float:
    number, percent, rest = text.strip().partition("%")
    if rest:
        raise ValueError(text)
    return float(number) / (100 if percent else 1)


def _read_percentage_points(text: str) -> float:
    number, unit, rest = text.strip().partition("pp")
    if not unit or rest:
        raise ValueError(text)
    return float(number)


def _read_widths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


SHARE = Notation("a share, such as 2% or 0.02", _read_share, lambda share: f"{100 * share:.12g}%")
PERCENTAGE_POINTS = Notation("in percentage points, such as 0.5pp", _read_percentage_points, "{:g}pp".format)
WIDTHS = Notation("bit widths, such as 32,8,1", _read_widths, lambda widths: ",".join(map(str, widths)))
