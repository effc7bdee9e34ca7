"""The gate of continuous integration: rules that the rows of a new run must not break.

| a figure is | if |
|---|---|
| broken | its change is beyond the limit and significant, or the new run lacks it |
| passed | its interval is within the limit, or the change is and one beyond it would have been detected |
| undecided | neither: the gate does not pass on it |

A row that vanished breaks the gate whatever the rules. A fraction of an unknown number of examples cannot be tested, so
a loss of it counts. All latencies that are checked are one family of tests, and so are all accuracies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.comparing.comparison import Comparison, Pair
from bench.comparing.gate_rule import Rule
from bench.core.errors import RequestError
from bench.core.units import counted
from bench.results.change import Change, Missing

FAILED, UNDECIDED = 1, 3
"""Exit codes."""


@dataclass(frozen=True)
class Break:
    """A figure that breaks a rule."""

    base: str
    new: str
    """The labels of both runs."""
    figure: Change | Missing
    rule: Rule | None
    """``None`` for what is missing."""


@dataclass(frozen=True)
class Undecided:
    """A figure of which it is not known whether it is within the limit of a rule."""

    base: str
    new: str
    figure: Change
    rule: Rule


@dataclass(frozen=True)
class Outcome:
    """What the gate found."""

    rules: Sequence[Rule]
    broken: Sequence[Break]
    undecided: Sequence[Undecided]
    figures: int
    rows: int
    """How many were checked."""

    def exit_code(self, *, allow_undecided: bool = False) -> int:
        """Return 0 if the gate is passed."""
        if self.broken:
            return FAILED
        return UNDECIDED if self.undecided and not allow_undecided else 0


def check(comparison: Comparison) -> Outcome:
    """Check every run beside the first by the rules of the comparison.

    Raises ``RequestError`` where runs do not compare, or there is nothing to check.
    """
    base, *others = comparison.columns
    rules = comparison.rules
    pairs = {pair.new: pair for pair in comparison.pairs if pair.base == base.label}
    reasons = {apart.new: apart.reasons for apart in comparison.apart}
    for column in others:
        if column.label not in pairs:
            raise RequestError(
                f"--fail-if compares run {column.label} with run {base.label}, which do not compare: "
                f"{'; '.join(reasons[column.label])}; measure both on one machine with the same settings."
            )
    changes = [change for pair in pairs.values() for change in pair.changes]
    lost = any(gap.lost for pair in pairs.values() for gap in pair.missing)
    for rule in rules:
        if not lost and not any(map(rule.covers, changes)):
            raise RequestError(
                f"--fail-if '{rule}' checks nothing: no row has such a figure in both runs; measure it in both, or "
                f"leave the rule out."
            )
    checked = [change for change in changes if any(rule.covers(change) for rule in rules)]
    judged = [
        (pair, change, rule)
        for rule in rules
        for pair in pairs.values()
        for change in pair.changes
        if rule.covers(change)
    ]
    return Outcome(
        rules=rules,
        broken=[
            *(Break(pair.base, pair.new, change, rule) for pair, change, rule in judged if rule.broken_by(change)),
            *_missing(pairs.values(), rules),
        ],
        undecided=[
            Undecided(pair.base, pair.new, change, rule)
            for pair, change, rule in judged
            if not rule.broken_by(change) and not rule.passed_by(change)
        ],
        figures=len(checked),
        rows=len({(change.model, change.variant) for change in checked}),
    )


def _missing(pairs: Iterable[Pair], rules: Sequence[Rule]) -> Iterator[Break]:
    for pair in pairs:
        for gap in pair.missing:
            if gap.lost and (gap.quantity is None or any(rule.covers(gap) for rule in rules)):
                yield Break(pair.base, pair.new, gap, None)


def decidable(undecided: Sequence[Undecided]) -> Rule | None:
    """Return the rule with the least limit that all these figures of one rule are within, if there is one.

    Limits are in whole percents or tenths of a point.
    """
    rule = undecided[0].rule
    needed = [rule.needed(one.figure) for one in undecided]
    known = [limit for limit in needed if limit is not None]
    if len(known) < len(needed):
        return None
    limit = math.ceil(1000 * max(known)) / 10 if rule.quantity == "accuracy" else math.ceil(100 * max(known))
    return replace(rule, limit=limit if rule.sign == ">" else -limit)


def words(outcome: Outcome, *, allow_undecided: bool = False) -> str:
    """Return what came of it: a line for each figure that broke it or is undecided, and what would decide those."""
    rules = " and ".join(f"'{rule}'" for rule in outcome.rules)
    code = outcome.exit_code(allow_undecided=allow_undecided)
    result = {FAILED: "FAILED", UNDECIDED: "UNDECIDED"}.get(code, "passed")
    first = f"Gate: {result}, {counted(outcome.figures, 'figure')} of {counted(outcome.rows, 'row')} checked by {rules}"
    lines = [f"- {broken_words(broken)}" for broken in outcome.broken]
    if outcome.undecided:
        first += f", {len(outcome.undecided):,} undecided"
        lines += [] if allow_undecided else _undecided_words(outcome.undecided)
    return "\n".join([f"{first}.", *lines])


def broken_words(broken: Break) -> str:
    """Return a sentence on what broke a rule."""
    if broken.rule is None:
        return f"{_where(broken)}: missing, {broken.figure.sentence}"
    return f"{_where(broken)}: {broken.figure.sentence}: breaks '{broken.rule}'"


def _undecided_words(undecided: Sequence[Undecided]) -> Iterator[str]:
    by_rule: dict[Rule, list[Undecided]] = {}
    for one in undecided:
        by_rule.setdefault(one.rule, []).append(one)
    for rule, ones in by_rule.items():
        for one in ones:
            yield f"- {_where(one)}: undecided by '{rule}': {one.figure.sentence}"
        wider = decidable(ones)
        ways = list(dict.fromkeys(one.figure.advice for one in ones if one.figure.advice))
        ways += [f"ask for '{wider}'"] if wider else []
        yield f"To decide '{rule}': {'; or '.join(ways)}; or accept it with --allow-undecided."


def _where(one: Break | Undecided) -> str:
    return f"`{one.figure.model}` `{one.figure.variant}` of {one.new} against {one.base}"
