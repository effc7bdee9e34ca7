"""Figures for people: the only place where seconds and bytes are scaled."""

from __future__ import annotations

import math

from bench.stats.describe import MeanStd
from bench.stats.interval import LATENCY_CONFIDENCE, Interval

MISSING = "–"


def megabytes(size_bytes: int) -> str:
    """Return MB = bytes / 10⁶ with three decimals."""
    return f"{size_bytes / 1e6:.3f}"


def kilobytes(size_bytes: int) -> str:
    """Return kB = bytes / 10³ with one decimal."""
    return f"{size_bytes / 1e3:,.1f}"


def gibibytes(size_bytes: int) -> str:
    """Return GiB = bytes / 2³⁰."""
    return f"{size_bytes / 2**30:.1f} GiB"


def percent(share: float, decimals: int = 2) -> str:
    """Return a share as a percentage."""
    return f"{100 * share:.{decimals}f} %"


def duration(value: MeanStd) -> str:
    """Return ``mean ± std unit`` with three significant digits of the mean, and at least one of the std."""
    unit, scale = _unit(value.mean)
    mean, std = value.mean / scale, (value.std or 0.0) / scale
    decimals = max(0, 2 - _magnitude(mean))
    if std:
        decimals = min(max(decimals, -_magnitude(std)), decimals + 2)
    shown = f"{mean:.{decimals}f}"
    return f"{shown} ± {std:.{decimals}f} {unit}" if value.std is not None else f"{shown} {unit}"


def seconds(value_s: float, digits: int = 3) -> str:
    """Return a time with its unit and so many significant digits."""
    unit, scale = _unit(value_s)
    return f"{value_s / scale:.{max(0, digits - 1 - _magnitude(value_s / scale))}f} {unit}"


def short_seconds(value_s: float) -> str:
    """Return a time with its unit and at most three significant digits, as the ticks of a picture have it."""
    unit, scale = _unit(value_s)
    return f"{float(f'{value_s / scale:.3g}'):g} {unit}"


def counted(number: int, noun: str) -> str:
    """Return ``1 run``, ``5 runs``."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}" + ("" if number == 1 else plural)


def ratio(value: Interval) -> str:
    """Return ``value× [low, high]``; the value alone where there were too few processes for an interval."""
    decimals = _decimals(value.low)
    shown = f"{value.value:.{decimals}f}×"
    if value.confidence < LATENCY_CONFIDENCE:
        return shown
    return f"{shown} [{value.low:.{decimals}f}, {value.high:.{decimals}f}]"


def short_ratio(value: float) -> str:
    """Return a ratio as the labels of a picture have it: without the zeros at its end."""
    return f"{round(value, _decimals(value)):g}×"


def _decimals(value: float) -> int:
    """Return how many decimals of a ratio are shown: two, or those that show two digits of a smaller one."""
    return max(2, 1 - _magnitude(value))


_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def _unit(value_s: float) -> tuple[str, float]:
    return next((unit, scale) for unit, scale in _UNITS if value_s >= scale or scale == _UNITS[-1][1])


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value)) if value > 0 else 0
