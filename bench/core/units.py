"""Figures for people: the only place where seconds and bytes are scaled."""

from __future__ import annotations

import math

from bench.stats.describe import MeanStd
from bench.stats.interval import CONFIDENCE, Interval

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


def seconds(value_s: float) -> str:
    """Return a time with its unit and three significant digits."""
    return duration(MeanStd(value_s, None, 1))


def short_seconds(value_s: float) -> str:
    """Return a time with its unit and at most three significant digits, as the ticks of a picture have it."""
    unit, scale = _unit(value_s)
    return f"{float(f'{value_s / scale:.3g}'):g} {unit}"


def counted(number: int, noun: str) -> str:
    """Return ``1 run``, ``5 runs``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def ratio(value: Interval) -> str:
    """Return ``value× [low, high]``; the value alone where there were too few rounds for a 95 % interval."""
    if value.confidence < CONFIDENCE:
        return f"{value.value:.2f}×"
    return f"{value.value:.2f}× [{value.low:.2f}, {value.high:.2f}]"


_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def _unit(value_s: float) -> tuple[str, float]:
    return next((unit, scale) for unit, scale in _UNITS if value_s >= scale or scale == _UNITS[-1][1])


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value)) if value > 0 else 0
