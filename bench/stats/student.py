"""Student's t, of which scipy.special has the functions; scipy.stats would take ten times as long to import."""

from __future__ import annotations

from functools import cache

MAX_FREEDOM = 100
"""Beyond it Student's t is as good as normal."""


def student_p(t: float, freedom: float) -> float:
    """Return the two-sided p-value of Student's t, with ``freedom`` rounded down."""
    from scipy import special

    return 2 * float(special.stdtr(_whole(freedom), -abs(t)))


def student_quantile(p_value: float, freedom: float) -> float:
    """Return the t of which ``p_value`` is the two-sided p-value; ``freedom`` is rounded down."""
    return _quantile(p_value, _whole(freedom))


@cache
def _quantile(p_value: float, freedom: int) -> float:
    from scipy import special

    return -float(special.stdtrit(freedom, p_value / 2))


def _whole(freedom: float) -> int:
    return max(1, min(int(freedom), MAX_FREEDOM))
