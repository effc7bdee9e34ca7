"""What there is to say after dynamic, and after static quantization: two axes, and a surprise with its experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.core.variant_key import EAGER
from bench.report.findings.axes import axes
from bench.report.findings.finding import Finding
from bench.report.findings.judged import Judged
from bench.report.findings.surprise import surprise
from bench.results.run import Run


def after(run: Run, judged: Sequence[Judged], scheme: str) -> Iterator[Finding]:
    """Discuss the int8 technique of a scheme, ``D`` or ``S``, on eager if it was measured there."""
    of_scheme = [one for one in judged if one.int8 and one.row.scheme == scheme]
    variants = sorted((one.row.key for one in of_scheme), key=lambda key: key.runtime != EAGER)
    group = [one for one in of_scheme if one.row.key == variants[0]]
    if group:
        yield from axes(run, group)
        yield from surprise(run, judged, group)
