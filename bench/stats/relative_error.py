"""How far one array is from another."""

from __future__ import annotations

import math
from typing import Any


def relative_error(exact: Any, approximate: Any) -> float | None:
    """Return the root mean square of the difference as a share of that of ``exact``, of the same shape.

    ``None`` where there is no such number: nothing to hold against each other, NaN among them, or all zero.
    """
    import numpy as np

    if exact.shape != approximate.shape or not exact.size:
        return None
    exact = exact.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        whole, difference = float(np.linalg.norm(exact)), float(np.linalg.norm(approximate - exact))
    return difference / whole if math.isfinite(difference) and 0 < whole < math.inf else None
