"""A rule of the gate, such as ``latency > 5%``, and how its text is read.

    QUANTITY[@BATCH] > NUMBER UNIT      fails where a figure grew by more
    QUANTITY[@BATCH] < -NUMBER UNIT     fails where it fell by more

Quantities are latency (``@64`` for one batch size), size, packed, params and memory, whose changes are in ``%``, and
accuracy, whose change is in points, ``pp``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from bench.core.errors import RequestError
from bench.results.change import NO_DIFFERENCE, Change, Missing, Quantity

EXAMPLES = "'latency > 5%', 'latency@64 > 5%' or 'accuracy < -0.5pp'"


@dataclass(frozen=True)
class Rule:
    """What a row must not do."""

    quantity: Quantity
    sign: str
    """``>`` or ``<``."""
    limit: float
    """Percent, or points of accuracy."""
    batch_size: int | None = None
    """``None`` for every one."""

    def __str__(self) -> str:
        at = "" if self.batch_size is None else f"@{self.batch_size}"
        return f"{self.quantity}{at} {self.sign} {self.limit:.12g}{_unit(self.quantity)}"

    def covers(self, figure: Change | Missing) -> bool:
        """Return whether the rule is about this figure."""
        return figure.quantity == self.quantity and self.batch_size in (None, figure.batch_size)

    def broken_by(self, change: Change) -> bool:
        """Return whether the change is beyond the limit and is none that noise explains."""
        if not self.covers(change) or change.word in NO_DIFFERENCE:
            return False
        if change.uncertain and change.word == "not comparable":
            return False
        return 100 * self.growth(change) > abs(self.limit)

    def growth(self, change: Change) -> float:
        """Return how far a change goes in the direction that the rule is against, as a share."""
        return change.value if self.sign == ">" else -change.value

    def passed_by(self, change: Change) -> bool:
        """Return whether the change is known to be within the limit."""
        needed = self.needed(change)
        return not self.broken_by(change) and needed is not None and 100 * needed <= abs(self.limit)

    def needed(self, change: Change) -> float | None:
        """Return the least limit, as a share, that the change is known to be within; ``None`` if there is none.

        Within a limit is what has its interval there, and what is there itself if more would have been detected.
        """
        growth = self.growth(change)
        if not change.uncertain or change.word == "the same":
            return growth
        ends = [] if change.least is None else [max(growth, change.least)]
        end = change.high if self.sign == ">" else None if change.low is None else -change.low
        return min([*ends, *([] if end is None else [end])], default=None)


def parse(text: str) -> Rule:
    """Read a rule; raises ``RequestError`` that points at the first character that does not fit."""
    reader = _Reader(text)
    quantity = reader.one_of(get_args(Quantity))
    batch_size = None
    if reader.accept("@"):
        if quantity != "latency":
            reader.back(1)
            raise reader.error(f"{quantity} has no batch size; leave @ and what follows out")
        batch_size = int(reader.match(r"[1-9][0-9]{0,5}", "a batch size is expected"))
    sign = reader.match(r"[<>]", "> or < is expected")
    position = reader.skip()
    limit = float(reader.match(r"[+\-−]?[0-9]+(\.[0-9]*)?|[+\-−]?\.[0-9]+", "a number is expected").replace("−", "-"))
    if limit < 0 if sign == ">" else limit > 0:
        reader.position = position
        bound = "0 or more" if sign == ">" else "0 or less"
        raise reader.error(f"{sign} asks for a limit of {bound}")
    unit = _unit(quantity)
    if not reader.accept(unit):
        raise reader.error(
            f"{unit} is expected: changes of {quantity} are in {'points' if unit == 'pp' else 'percent'}"
        )
    reader.skip()
    if reader.position < len(text):
        raise reader.error("nothing more is expected")
    return Rule(quantity, sign, limit + 0.0, batch_size)


def _unit(quantity: Quantity) -> str:
    return "pp" if quantity == "accuracy" else "%"


class _Reader:
    """Reads an expression from the left; spaces between its parts mean nothing."""

    def __init__(self, text: str) -> None:
        self.position = 0
        self._text = text

    def skip(self) -> int:
        while self._text[self.position : self.position + 1].isspace():
            self.position += 1
        return self.position

    def back(self, characters: int) -> None:
        self.position -= characters

    def accept(self, token: str) -> bool:
        self.skip()
        accepted = self._text.startswith(token, self.position)
        self.position += len(token) * accepted
        return accepted

    def match(self, pattern: str, expected: str) -> str:
        self.skip()
        matched = re.compile(pattern).match(self._text, self.position)
        if matched is None:
            raise self.error(expected)
        self.position = matched.end()
        return matched.group()

    def one_of(self, names: Sequence[Quantity]) -> Quantity:
        self.skip()
        word = re.compile(r"[^\W\d_]*").match(self._text, self.position)
        for name in names:
            if word is not None and word.group() == name:
                self.position = word.end()
                return name
        raise self.error(f"one of {', '.join(names)} is expected")

    def error(self, cause: str) -> RequestError:
        """Return the error that points at the present character; the text is shown with a caret below it."""
        at = f"at character {self.position + 1}" if self.position < len(self._text) else "at its end"
        shown = "".join(" " if character.isspace() else character for character in self._text)
        return RequestError(
            f"--fail-if '{shown}' cannot be read {at}: {cause}; write for example {EXAMPLES}.\n"
            f"  {shown}\n"
            f"  {' ' * self.position}^"
        )
