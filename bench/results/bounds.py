"""What figures and texts of a record may be: files come from strangers too.

No measurement comes near these bounds, and within them every sum, ratio and logarithm that a reader forms is finite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, FailFast, Field, ValidationError

from bench.core.limits import MAX_BATCH_SIZES

LARGEST = 2**53
"""Up to here every integer is a float too."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
"""What moves a terminal's cursor, what turns the order of the figures behind it around (bidirectional overrides), and
what no XML, and so no SVG, may hold; tabs and new lines stay."""
_BREAKS = re.compile(r"[\t\n]")


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)


def _in_one_line(text: str) -> str:
    return _BREAKS.sub(" ", _printable(text))


def at_most(keys: int) -> BeforeValidator:
    """Refuse an object of more keys before its values are read: a million faults would take seconds and gigabytes."""

    def check(value: object) -> object:
        if isinstance(value, dict) and len(value) > keys:
            raise ValueError(f"{len(value):,} keys, of which there may be {keys:,}")
        return value

    return BeforeValidator(check)


T = TypeVar("T")

Count = Annotated[int, Field(ge=0, le=LARGEST)]
PositiveCount = Annotated[int, Field(ge=1, le=LARGEST)]
BatchSize = PositiveCount
Bytes = Annotated[int, Field(ge=0, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""Of work that may have been none."""
CallSeconds = Annotated[float, Field(ge=1e-12, le=1e9, allow_inf_nan=False)]
"""Of a call, a mean of some, or a block: never 0, so that it has a logarithm and can be divided by."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Change = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
"""Of a share."""
Ratio = Annotated[float, Field(ge=1e-100, le=1e100, allow_inf_nan=False)]
"""Of two positive figures, and the ends of its interval."""
Magnitude = Annotated[float, Field(ge=0, le=1e100, allow_inf_nan=False)]
Figure = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
"""A number without a unit, of either sign."""
Label = Annotated[str, Field(max_length=200), AfterValidator(_in_one_line)]
"""A word or two: a version, a type, a device."""
Name = Annotated[str, Field(max_length=5_000), AfterValidator(_in_one_line)]
"""As long as a path may be."""
Text = Annotated[str, Field(max_length=100_000), AfterValidator(_printable)]
"""Sentences."""
Word = bool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | Figure | Name
"""A value in a recipe."""
Recipe = Annotated[dict[Name, Word], at_most(1_000)]
_Hyperparameter = Annotated[int, Field(ge=0, lt=2**31)]
Hyperparameters = Annotated[
    dict[Name, _Hyperparameter | Annotated[list[_Hyperparameter], Field(max_length=1_000)]], at_most(100)
]
Names = Annotated[list[Name], Field(max_length=10_000), FailFast()]
Texts = Annotated[list[Text], Field(max_length=10_000), FailFast()]
Counts = Annotated[list[Count], Field(max_length=1_000_000), FailFast()]
CallTimes = Annotated[list[CallSeconds], Field(max_length=1_000_000), FailFast()]
Records = Annotated[list[T], Field(max_length=10_000), FailFast()]
"""Rows of a run, trainings, students: a report of more would take hours."""
BySize = Annotated[dict[BatchSize, T], at_most(MAX_BATCH_SIZES)]
"""What is known of each batch size."""


@dataclass(frozen=True)
class Fault:
    """What does not fit a record."""

    place: str
    """The keys that lead there, with points between them; empty for the record itself."""
    message: str
    """What is wrong, and the value if it is a short one."""
    of_later_version: bool
    """Whether it is a key that is not known."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def first_fault(error: ValidationError) -> Fault:
    """Return a key that is not known if there is one, which explains the other faults, else the first fault."""
    faults = error.errors(include_url=False, include_context=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    kind, value = first["type"], first["input"]
    shown = kind not in ("extra_forbidden", "missing", "value_error") and isinstance(value, int | float | str | None)
    return Fault(
        ".".join(shortened(part) for part in first["loc"]),
        first["msg"].removeprefix("Value error, ") + (f", not {shortened(value)}" if shown else ""),
        kind == "extra_forbidden",
    )


def shortened(value: object, most: int = 80) -> str:
    """Return a value of a file as a message may show it: a part of it where it is long, its type where it is nested."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = _in_one_line(str(value))
    return text if len(text) <= most else f"{text[:most]}…"
