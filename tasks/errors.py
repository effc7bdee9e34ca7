"""The errors a user can cause. Each message is one sentence with the cause and the way out.

QuantbenchError
├── UnknownNameError    no task, model, technique or suite of that name
├── DataError           data that are damaged, malformed or not to be had
├── TrainingError       a training that diverged
└── (bench.core.errors)      what only the harness can find wrong
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QuantbenchError(Exception):
    """Something the user can put right; the command prints it without a traceback and exits with 2."""


CHOICES_SHOWN = 20
"""Of the names that there are, where none is close."""


class UnknownNameError(QuantbenchError):
    """A name that stands for nothing here."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=1)
        shown = ", ".join(known[:CHOICES_SHOWN])
        more = f" and {len(known) - CHOICES_SHOWN} more" if len(known) > CHOICES_SHOWN else ""
        hint = f"did you mean {close[0]!r}?" if close else f"choose from {shown}{more}."
        super().__init__(f"there is no {noun} {name!r}; {hint}")


class DataError(QuantbenchError):
    """Data files that are damaged, malformed or not to be had."""


class TrainingError(QuantbenchError):
    """A training that did not come to a usable end."""
