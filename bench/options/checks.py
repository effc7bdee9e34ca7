"""What options accept. Each check returns what a value must be if it is not; a message puts the option before it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

Check = Callable[[Any], str | None]


def at_least(least: int, example: int) -> Check:
    """Accept numbers from ``least`` on."""
    return lambda value: None if value >= least else f"must be {least} or more; for example {example}"


def between(least: float, most: float, example: float, limits: str = "") -> Check:
    """Accept numbers from ``least`` to ``most``, both included; ``limits`` are their words if they need others."""
    words = limits or f"{least:,} and {most:,}"
    return lambda value: None if least <= value <= most else f"must be between {words}; for example {example:g}"


def within(low: float, high: float, words: str) -> Check:
    """Accept numbers above ``low`` and below ``high``."""
    return lambda value: None if low < value < high else f"must be {words}"


def up_to(most: float, example: float) -> Check:
    """Accept numbers above 0 and up to ``most``."""
    return lambda value: None if 0 < value <= most else f"must be above 0 and up to {most:g}; for example {example:g}"


def seconds(example: float) -> Check:
    """Accept a time that can be waited for."""
    return within(0, math.inf, f"a positive number of seconds; for example {example:g}")


def one_of(names: Sequence[str]) -> Check:
    """Accept some words."""
    words = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return lambda value: None if value in names else f"must be {words}"


def readable_folder(path: Any) -> str | None:
    """Accept a folder that is there."""
    if os.path.isdir(path):  # noqa: PTH112 — Path.is_dir raises where it may not look
        return None
    return "is not a folder that can be read; create it, or leave the option out"


def not_empty(values: Any) -> str | None:
    """Accept one value or more."""
    return None if isinstance(values, str | int) or list(values) else "must be given once or more"


def once_to(most: int) -> Check:
    """Accept one value or more, up to ``most``."""
    return lambda values: (
        not_empty(values)
        or (
            f"must be given at most {most} times"
            if not isinstance(values, str | int) and len(set(values)) > most
            else None
        )
    )


def all_different(values: Any) -> str | None:
    """Accept one value or more, no two the same."""
    different = isinstance(values, str | int) or (values and len(set(values)) == len(values))
    return None if different else "must be given once or more, each time another"
