"""Accuracies of the same weights on several machines: where they differ, the machine's arithmetic does.

Without VNNI an x86 CPU sums pairs of int8 products in 16 bits, which full 8 bits overflow: such a sum saturates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.comparing.accuracy_change import unpaired
from bench.core.variant_key import VariantKey
from bench.results.isa import computes_bfloat16, int8_sums_saturate
from bench.results.record import Record
from bench.results.row import Row
from bench.results.run import Run
from bench.results.variant_field import VariantField
from bench.stats.proportions import mcnemar


class SameWeights(Record):
    """One variant that answers differently on two machines or more."""

    model: str
    variant: VariantField
    correct: dict[str, list[str]]
    """The machines by what they answered right, such as ``9,706 of 10,000``; the most first."""
    lost: int | None
    """Examples that the best has right and the worst has not; ``None`` where single answers are not known."""
    gained: int | None
    p_value: float | None
    """McNemar's, of the best and the worst being equally accurate."""
    could_explain: list[str]


def differing(runs: Mapping[str, Run]) -> list[SameWeights]:
    """Return the variants whose accuracies differ, of runs that had the same weights and data."""
    variants: dict[tuple[str, VariantKey], dict[str, Row]] = {}
    for name, run in runs.items():
        for row in run.rows:
            if row.accuracy is not None:
                variants.setdefault((row.full_model, row.key), {})[name] = row
    return [
        _compared(model, variant, rows, runs)
        for (model, variant), rows in variants.items()
        if len({_right(row) for row in rows.values()}) > 1
    ]


def _right(row: Row) -> tuple[int, int]:
    return (row.accuracy.correct, row.accuracy.total) if row.accuracy else (0, 0)


def _compared(model: str, variant: VariantKey, rows: Mapping[str, Row], runs: Mapping[str, Run]) -> SameWeights:
    by_count: dict[tuple[int, int], list[str]] = {}
    for name, row in sorted(rows.items(), key=lambda item: _right(item[1]), reverse=True):
        by_count.setdefault(_right(row), []).append(name)
    groups = list(by_count.values())
    best, worst = groups[0][0], groups[-1][0]
    apart = unpaired(rows[best], rows[worst])
    return SameWeights(
        model=model,
        variant=variant,
        correct={f"{correct:,} of {total:,}": names for (correct, total), names in by_count.items()},
        lost=apart[0] if apart else None,
        gained=apart[1] if apart else None,
        p_value=mcnemar(*apart) if apart else None,
        could_explain=_explanations(rows[best].dtype, best, worst, runs),
    )


def _explanations(dtype: str, best: str, worst: str, runs: Mapping[str, Run]) -> list[str]:
    """Return what in the machines' arithmetic differs for such numbers, each with the machine that it holds of."""
    here, there = runs[best].machine.isa, runs[worst].machine.isa
    reasons: list[str] = []
    if "int8" in dtype:
        saturating = [name for name, isa in ((best, here), (worst, there)) if int8_sums_saturate(isa)]
        if len(saturating) == 1:
            reasons.append(f"no VNNI on {saturating[0]}, so int8 products are summed in 16 bits there and may saturate")
    if dtype == "bfloat16" and computes_bfloat16(here) != computes_bfloat16(there):
        without = worst if computes_bfloat16(here) else best
        reasons.append(f"no bfloat16 arithmetic on {without}, which sums in float32 in another order")
    if not reasons and (only := sorted(set(here) ^ set(there))):
        reasons.append(f"instruction sets ({', '.join(only)} on one of them alone), which decide the order of sums")
    if runs[best].machine.torch != runs[worst].machine.torch:
        reasons.append(f"torch {runs[best].machine.torch} on {best} and {runs[worst].machine.torch} on {worst}")
    return reasons


def sentence(finding: SameWeights, most_names: int = 4) -> str:
    """Return a finding in a sentence."""
    counts = "; ".join(f"{count} right on {_names(names, most_names)}" for count, names in finding.correct.items())
    words = f"`{finding.variant}` of `{finding.model}`, the same weights: {counts}"
    if finding.lost is not None and finding.p_value is not None:
        words += f" ({finding.lost:,} lost and {finding.gained:,} gained, p = {finding.p_value:.2g})"
    return words + (f"; possible explanation: {'; '.join(finding.could_explain)}" if finding.could_explain else "")


def _names(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
