"""Values that the command line writes in a way of its own: ``2%``, ``0.5pp``, ``1MB``, ``32,8,1``."""

from __future__ import annotations

import math
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


def _scaled(text: str, units: dict[str, float]) -> float:
    """Return a number with a unit behind it, times what that stands for; raises ``ValueError`` for anything else."""
    unit = max((name for name in units if text.strip().endswith(name)), key=len, default="")
    value = float(text.strip().removesuffix(unit)) * units[unit] if unit else math.nan
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _read_widths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


_BYTES = {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}

SHARE = Notation("a share, such as 2% or 0.02", _read_share, lambda share: f"{100 * share:.12g}%")
PERCENTAGE_POINTS = Notation("in percentage points, such as 0.5pp", _read_percentage_points, "{:g}pp".format)
WIDTHS = Notation("bit widths, such as 32,8,1", _read_widths, lambda widths: ",".join(map(str, widths)))
BYTES = Notation("a size, such as 1MB or 400kB", lambda text: round(_scaled(text, _BYTES)), "{}B".format)
SECONDS = Notation("a time, such as 200us or 1.5ms", lambda text: _scaled(text, _SECONDS), "{:g}s".format)
