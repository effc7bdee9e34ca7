"""Figures that are tested together: their p-values are adjusted for being that many (Holm 1979)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, cast

from bench.comparing.gate_rule import Rule
from bench.results.change import Change
from bench.stats.multiple_tests import holm, holm_levels


class Tested(Protocol):
    """A figure that both runs have, before it is judged beside the others of its family."""

    @property
    def alpha(self) -> float:
        """The family-wise error rate; the same for all of a family."""

    @property
    def change(self) -> Change:
        """The change without a verdict."""

    @property
    def p_value(self) -> float:
        """Of its test alone."""

    def judged(self, adjusted_p: float, level: float) -> Change:
        """Return the change with its verdict by the adjusted p-value.

        ``level`` is the p-value up to which this test alone would be significant beside the others.
        """


def judge(compared: Sequence[Sequence[Tested | Change]], rules: Sequence[Rule]) -> list[list[Change]]:
    """Judge the figures of each pair of runs, in their order.

    All latencies that ``rules`` check are one family, over all pairs, and so are all accuracies. Of the rest, a
    family is one model's figures of a pair, latencies by batch size.
    """
    families: dict[Hashable, dict[tuple[int, int], Tested]] = {}
    for pair, figures in enumerate(compared):
        for position, tested in enumerate(figures):
            if not isinstance(tested, Change):
                change = tested.change
                checked = any(rule.covers(change) for rule in rules)
                among = (change.quantity,) if checked else (pair, change.model, change.quantity, change.batch_size)
                families.setdefault(among, {})[pair, position] = tested
    judged = [list(figures) for figures in compared]
    for family in families.values():
        for (pair, position), change in zip(family, _judged(list(family.values())), strict=True):
            judged[pair][position] = change
    return cast(list[list[Change]], judged)


def _judged(family: Sequence[Tested]) -> list[Change]:
    adjusted = holm([tested.p_value for tested in family])
    levels = holm_levels(adjusted, family[0].alpha)
    return [tested.judged(*by) for tested, *by in zip(family, adjusted, levels, strict=True)]
