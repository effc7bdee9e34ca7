"""The gate of continuous integration: rules that the rows of a new run must not break.

A row breaks a rule if its change is beyond the limit *and* noise does not explain it (``row_by_row.py``). Of a fraction
of an unknown number of examples nobody can tell, so a loss of it counts. A figure that was measured and no longer is
breaks the rules that it is for, a whole row the gate whatever the rules.
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
class Vague:
    """Figures of which a change just beyond a limit would not be told from noise."""

    rule: Rule
    figures: int
    advice: str
    """What would tell such a change."""
    detectable: Rule | None
    """The rule with the least limit that can be told; ``None`` where some figure has none."""


@dataclass(frozen=True)
class Outcome:
    """What the gate found."""

    rules: Sequence[Rule]
    broken: Sequence[Break]
    """Empty if it is passed."""
    figures: int
    rows: int
    """How many were checked."""
    vague: Sequence[Vague]


def check(comparison: Comparison, rules: Sequence[Rule]) -> Outcome:
    """Check every run beside the first; raises ``RequestError`` where they do not compare, or have nothing to check."""
    base, *others = comparison.columns
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
    return Outcome(
        rules=rules,
        broken=[*_broken(list(pairs.values()), rules), *_missing(pairs.values(), rules)],
        figures=len(checked),
        rows=len({(change.model, change.variant) for change in checked}),
        vague=[vague for rule in rules for vague in _vague(changes, rule)],
    )


def _broken(pairs: Iterable[Pair], rules: Sequence[Rule]) -> Iterator[Break]:
    for rule in rules:
        for pair in pairs:
            yield from (Break(pair.base, pair.new, change, rule) for change in pair.changes if rule.broken_by(change))


def _missing(pairs: Iterable[Pair], rules: Sequence[Rule]) -> Iterator[Break]:
    for pair in pairs:
        for gap in pair.missing:
            if gap.lost and (gap.quantity is None or any(rule.covers(gap) for rule in rules)):
                yield Break(pair.base, pair.new, gap, None)


def _vague(changes: Sequence[Change], rule: Rule) -> Iterator[Vague]:
    by_advice: dict[str, list[Change]] = {}
    for change in changes:
        if rule.covers(change) and not rule.broken_by(change) and not _tells(change, rule):
            by_advice.setdefault(change.advice, []).append(change)
    for advice, vague in by_advice.items():
        least = [change.least for change in vague if change.least is not None]
        yield Vague(rule, len(vague), advice, _wider(rule, max(least)) if len(least) == len(vague) else None)


def _tells(change: Change, rule: Rule) -> bool:
    """Return whether a change just beyond the limit would be called one."""
    if not change.uncertain or change.word == "the same":
        return True
    return change.least is not None and 100 * change.least <= abs(rule.limit)


def _wider(rule: Rule, least: float) -> Rule:
    """Return the rule with a limit that can be told, in whole percents or tenths of a point."""
    limit = math.ceil(1000 * least) / 10 if rule.quantity == "accuracy" else math.ceil(100 * least)
    return replace(rule, limit=limit if rule.sign == ">" else -limit)


def words(outcome: Outcome) -> str:
    """Return what came of it, a line for each row that broke it."""
    rules = " and ".join(f"'{rule}'" for rule in outcome.rules)
    checked = f"{counted(outcome.figures, 'figure')} of {counted(outcome.rows, 'row')} checked by {rules}"
    checked += "".join(map(_vague_words, outcome.vague))
    if not outcome.broken:
        return f"Gate: passed, {checked}."
    return "\n".join([f"Gate: FAILED, {checked}.", *(f"- {broken_words(broken)}" for broken in outcome.broken)])


def _vague_words(vague: Vague) -> str:
    allowed = f", or ask for '{vague.detectable}'" if vague.detectable else ""
    return (
        f"; {counted(vague.figures, 'figure')} not precise enough to tell a change of that size from noise "
        f"('{vague.rule}'): {vague.advice}{allowed}"
    )


def broken_words(broken: Break) -> str:
    """Return a sentence on what broke a rule."""
    figure = broken.figure
    where = f"`{figure.model}` `{figure.variant}` of {broken.new} against {broken.base}"
    if broken.rule is None:
        return f"{where}: missing, {figure.sentence}"
    return f"{where}: {figure.sentence}: breaks '{broken.rule}'"
