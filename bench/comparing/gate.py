"""The gate of continuous integration: rules such as ``latency > 5%`` that the rows of a new run must not break.

    QUANTITY[@BATCH] > NUMBER UNIT      fails where a figure grew by more
    QUANTITY[@BATCH] < -NUMBER UNIT     fails where it fell by more

Quantities are latency (``@64`` for one batch size), size, packed, params and memory, whose changes are in ``%``, and
accuracy, whose change is in points, ``pp``. A row breaks a rule if its change is beyond the limit *and* noise does not
explain it (``row_by_row.py``); of a share of unknown many examples nobody can tell, and a loss of it counts. A
figure that was measured and no longer is breaks the rules that it is for, a whole row the gate whatever the rules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from bench.comparing.comparison import Comparison
from bench.core.errors import RequestError
from bench.core.units import counted
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
        value = 100 * change.value
        return value > self.limit if self.sign == ">" else value < self.limit


@dataclass(frozen=True)
class Outcome:
    """What the gate found."""

    broken: list[str]
    """A sentence for each row that broke it; empty if it is passed."""
    checked: str
    """What was checked."""


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
        wanted = "0 or more" if sign == ">" else "0 or less"
        raise reader.error(f"{sign} asks for a limit of {wanted}")
    unit = _unit(quantity)
    if not reader.accept(unit):
        raise reader.error(
            f"{unit} is expected: changes of {quantity} are in {'points' if unit == 'pp' else 'percent'}"
        )
    reader.skip()
    if reader.position < len(text):
        raise reader.error("nothing more is expected")
    return Rule(quantity, sign, limit + 0.0, batch_size)


def check(comparison: Comparison, rules: Sequence[Rule]) -> Outcome:
    """Hold every run against the first; raises ``RequestError`` where they cannot be, or have nothing that is asked."""
    base, *others = comparison.columns
    pairs = {pair.new: pair for pair in comparison.pairs if pair.base == base.label}
    reasons = {apart.new: apart.reasons for apart in comparison.apart}
    for column in others:
        if column.label not in pairs:
            raise RequestError(
                f"--fail-if holds run {column.label} against run {base.label}, and they do not compare: "
                f"{'; '.join(reasons[column.label])}; measure both on one machine with the same settings."
            )
    changes = [(pair, change) for pair in pairs.values() for change in pair.changes]
    lost = [(pair, each) for pair in pairs.values() for each in pair.missing if each.lost]
    broken = []
    for rule in rules:
        covered = [(pair, change) for pair, change in changes if rule.covers(change)]
        if not covered and not lost:
            raise RequestError(f"--fail-if '{rule}' checks nothing: no row has such a figure in both runs.")
        broken += [
            f"{change.row} of {pair.new} against {pair.base}: {change.sentence}: breaks '{rule}'"
            for pair, change in covered
            if rule.broken_by(change)
        ]
    broken += [
        f"`{each.model}` `{each.variant}` of {pair.new} against {pair.base}: missing, {each.sentence}"
        for pair, each in lost
        if each.quantity is None or any(rule.covers(each) for rule in rules)
    ]
    return Outcome(broken, _checked([change for _, change in changes], rules))


def words(outcome: Outcome) -> str:
    """Return what came of it, a line for each row that broke it."""
    if not outcome.broken:
        return f"Gate: passed, {outcome.checked}."
    lines = [f"Gate: FAILED, {outcome.checked}."]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in outcome.broken)])


def _checked(changes: Sequence[Change], rules: Sequence[Rule]) -> str:
    checked = [change for change in changes if any(rule.covers(change) for rule in rules)]
    rows = len({(change.model, change.variant) for change in checked})
    named = " and ".join(f"'{rule}'" for rule in rules)
    notes = "".join(note for rule in rules for note in _vague(changes, rule))
    return f"{counted(len(checked), 'figure')} of {counted(rows, 'row')} held against {named}{notes}"


def _vague(changes: Sequence[Change], rule: Rule) -> Iterator[str]:
    """Say of how many figures a change just beyond the limit would not be told from noise, and what would help."""
    by_advice: dict[str, list[Change]] = {}
    for change in changes:
        if rule.covers(change) and not rule.broken_by(change) and not _tells(change, rule):
            by_advice.setdefault(change.advice, []).append(change)
    for advice, vague in by_advice.items():
        told = [change.least for change in vague if change.least is not None]
        allowed = f", or ask for '{_wider(rule, max(told))}'" if len(told) == len(vague) else ""
        yield (
            f"; {counted(len(vague), 'figure')} known too vaguely to tell a change of that size from noise "
            f"('{rule}'): {advice}{allowed}"
        )


def _tells(change: Change, rule: Rule) -> bool:
    """Return whether a change just beyond the limit would be called one."""
    if not change.uncertain or change.word == "the same":
        return True
    return change.least is not None and 100 * change.least <= abs(rule.limit)


def _wider(rule: Rule, least: float) -> Rule:
    """Return the rule with a limit that can be told, in whole percents or tenths of a point."""
    limit = math.ceil(1000 * least) / 10 if rule.quantity == "accuracy" else math.ceil(100 * least)
    return replace(rule, limit=limit if rule.sign == ">" else -limit)


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

    def accept(self, wanted: str) -> bool:
        self.skip()
        found = self._text.startswith(wanted, self.position)
        self.position += len(wanted) * found
        return found

    def match(self, pattern: str, expected: str) -> str:
        self.skip()
        found = re.compile(pattern).match(self._text, self.position)
        if found is None:
            raise self.error(expected)
        self.position = found.end()
        return found.group()

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
        shown = "".join(" " if each.isspace() else each for each in self._text)
        return RequestError(
            f"--fail-if '{shown}' cannot be read {at}: {cause}; write {EXAMPLES}, say.\n"
            f"  {shown}\n"
            f"  {' ' * self.position}^"
        )
