"""Which variant of a model is the smallest, and which are hardly smaller though layers were changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.findings.finding import Finding
from bench.report.findings.judged import Judged

HARDLY = 1.1
"""Up to this many times smaller is hardly smaller."""


def sizes(judged: Sequence[Judged]) -> Iterator[Finding]:
    """Find the smallest file of each model, and files that are hardly smaller than the baseline's."""
    for model in dict.fromkeys(one.model for one in judged):
        packed = [
            (one, times)
            for one in judged
            if one.model == model and not one.row.output_fault and (times := times_smaller(one)) is not None
        ]
        if not packed:
            continue
        best, most = max(packed, key=lambda pair: pair[1])
        if most > HARDLY and best.baseline is not None:
            yield Finding("smallest", (best.row, best.baseline), {"times": most})
        for one, times in packed:
            if times <= HARDLY and one.row.layers is not None and one.row.layers.changed:
                yield Finding("hardly smaller", (one.row,), {"times": times})


def times_smaller(one: Judged) -> float | None:
    """Return how many times smaller its file is than the baseline's; ``None`` where either is not known."""
    if one.baseline is None or not one.baseline.file_bytes or not one.row.file_bytes:
        return None
    return one.baseline.file_bytes / one.row.file_bytes
