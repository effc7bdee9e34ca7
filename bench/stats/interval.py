"""An estimate with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

ACCURACY_CONFIDENCE = 0.95
"""The coverage of the interval of an accuracy."""
LATENCY_CONFIDENCE = 0.99
"""That of a latency or a speed-up. The processes of a run share its minutes, and a shared machine wanders between
minutes; how often intervals of this level hold what the whole time gives is in ``reports/trust``."""


@dataclass(frozen=True)
class Interval:
    """An estimate between the ends of its confidence interval."""

    value: float
    low: float
    high: float
    confidence: float
    """The coverage that the interval has at least; 0 where there were too few values for any."""


def half_width(value: float, low: float, high: float, confidence: float) -> float:
    """Return half the width of an interval around a positive value, as a share of it; infinite without confidence."""
    return (high - low) / 2 / value if confidence else math.inf
