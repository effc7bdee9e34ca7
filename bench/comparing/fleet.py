"""What a fleet's machines say together: of a few machines each one, of many each kind, and what is common to both."""

from __future__ import annotations

from collections.abc import Mapping

from bench.comparing import same_weights
from bench.comparing.comparison import Comparison, compare
from bench.comparing.groups import MOST_COLUMNS, Group, Outlier, Spread, groups_of, spreads_of
from bench.comparing.same_weights import SameWeights
from bench.results.record import Record
from bench.results.run import Run


class FleetComparison(Record):
    """Everything that is compared."""

    groups: list[Group]
    comparison: Comparison | None
    """Of the machines, or of the most typical of each kind where they are many; ``None`` for fewer than two."""
    representatives: list[str]
    """The nodes that ``comparison`` compares, in its order."""
    spreads: list[Spread]
    """Of the kinds; empty where each machine has a column."""
    outliers: list[Outlier]
    accuracies: list[SameWeights]
    """Variants that answer differently with the same weights."""
    synthetic: list[str]
    """Titles of the sets in whose place there were stand-ins."""


def compare_fleet(runs: Mapping[str, Run]) -> FleetComparison:
    """Compare the runs of a fleet, by node; those without rows have nothing to say.

    Of ``runs``, which may be read when they are asked for, few are held at a time.
    """
    measured = {name: slim for name in runs if (slim := _without_rounds(runs[name])).rows}
    groups = groups_of(measured)
    many = len(measured) > MOST_COLUMNS
    spreads, outliers = spreads_of(groups, measured)
    shown = [group.members[0] for group in groups][:MOST_COLUMNS] if many else list(measured)
    labels = [group.label for group in groups][:MOST_COLUMNS] if many else shown
    shared = len(shown) > 1 and _share_a_row([measured[name] for name in shown])
    comparison = compare(*(runs[name] for name in shown), labels=labels) if shared else None
    return FleetComparison(
        groups=groups,
        comparison=comparison,
        representatives=shown,
        spreads=spreads if many else [],
        outliers=outliers,
        accuracies=same_weights.differing(measured),
        synthetic=list(
            dict.fromkeys(data.title for run in measured.values() for data in run.data if data.kind == "synthetic")
        ),
    )


def _without_rounds(run: Run) -> Run:
    """Return what kinds, outliers and accuracies need of a run: a tenth of it."""
    return run.model_copy(
        update={"rows": [row.model_copy(update={"latency": {}}) for row in run.rows], "references": []}
    )


def _share_a_row(runs: list[Run]) -> bool:
    keys = [{(row.full_model, row.key) for row in run.rows} for run in runs]
    return any(len(some & other) > 0 for position, some in enumerate(keys) for other in keys[position + 1 :])
