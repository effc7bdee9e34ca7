"""What became of one figure of one row between two runs of one machine."""

from __future__ import annotations

from typing import Literal

from bench.results.record import Record
from bench.results.variant_field import VariantField

Quantity = Literal["latency", "accuracy", "size", "packed", "params", "memory"]
ChangeWord = Literal[
    "faster",
    "slower",
    "better",
    "worse",
    "smaller",
    "larger",
    "the same",
    "no difference detected",
    "not comparable",
]
NO_DIFFERENCE: tuple[ChangeWord, ...] = ("the same", "no difference detected")


class Change(Record):
    """One figure of one row in two runs."""

    model: str
    """As ``task/model``."""
    variant: VariantField
    quantity: Quantity
    batch_size: int | None = None
    """Of a latency."""
    before: float
    """Seconds, bytes, a number, or a share of right answers."""
    after: float
    value: float
    """The change: of accuracy as a difference of shares, of everything else as a share of ``before``.

    That of a latency is of its relative latency, where both runs have a reference workload.
    """
    low: float | None = None
    high: float | None = None
    """Its 95 % interval, where there is one."""
    p_value: float | None = None
    """Adjusted for all that are judged together (``bench.comparing.family``)."""
    least: float | None = None
    """The least growth, or loss of accuracy, that would be called one, as a share; ``None`` where none would."""
    advice: str = ""
    """What would tell smaller ones, or why none are told."""
    word: ChangeWord
    sentence: str

    @property
    def uncertain(self) -> bool:
        """Whether noise is allowed for: not in sizes, nor in a fraction of an unknown number of examples."""
        return self.quantity in ("latency", "memory") or self.p_value is not None

    @property
    def row(self) -> str:
        """The row's name."""
        return f"`{self.model}` `{self.variant}`"

    @property
    def figure(self) -> str:
        """The change with its interval."""
        unit, decimals = ("points", 2) if self.quantity == "accuracy" else ("%", 1 if self.quantity == "latency" else 2)
        shown = f"{signed(self.value, decimals)} {unit}"
        if self.low is None or self.high is None:
            return shown
        return f"{shown} [{signed(self.low, decimals)}, {signed(self.high, decimals)}]"


class Missing(Record):
    """A row, or one figure of a row, that only one of two runs has."""

    model: str
    variant: VariantField
    quantity: Quantity | None = None
    """``None`` for the whole row."""
    batch_size: int | None = None
    """Of a latency."""
    lost: bool
    """Whether the new run lacks it; otherwise the base does."""
    sentence: str


def signed(share: float, decimals: int = 2) -> str:
    """Return a share in percent with its sign; what rounds to zero has none."""
    shown = f"{100 * share:+.{decimals}f}"
    return shown if float(shown) else "0"
