"""Where a technique is slower than the baseline, and why that is likely.

Of rows that only simulate low precision nothing is found, as there are no verdicts on their latencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.findings.finding import Cause, Finding
from bench.report.findings.judged import Judged
from bench.results.isa import computes_bfloat16
from bench.results.run import Run

SMALL_CALL_S = 200e-6
"""A call that is shorter spends a large part of its time in Python and torch's dispatch: some 50 µs for a network of
two layers (docs/measuring.md)."""


def slower_int8(run: Run, judged: Sequence[Judged]) -> Iterator[Finding]:
    """Find where int8 lost to fp32, or that it did nowhere."""
    timed = [(one, size) for one in judged if one.int8 for size in one.speed]
    slower = [(one, size) for one, size in timed if one.slower(size)]
    if timed and not slower:
        worst, at = min(timed, key=lambda pair: pair[0].speedup(pair[1]).value)
        faster = sum(one.faster(size) for one, size in timed)
        figures = {"batch": at, "speedup": worst.speedup(at), "comparisons": len(timed), "faster": faster}
        yield Finding("int8 nowhere slower", (worst.row,), figures)
    for one, size in slower:
        yield Finding("int8 slower", (one.row,), _how(run, one, size))


def slower_otherwise(run: Run, judged: Sequence[Judged]) -> Iterator[Finding]:
    """Find of each other technique how often it lost to fp32, and where most."""
    for variant in dict.fromkeys(one.row.key for one in judged if not one.int8):
        timed = [(one, size) for one in judged if one.row.key == variant for size in one.speed]
        if slower := [(one, size) for one, size in timed if one.slower(size)]:
            worst, at = min(slower, key=lambda pair: pair[0].speedup(pair[1]).value)
            figures = {"comparisons": len(timed), "slower": len(slower), **_how(run, worst, at)}
            yield Finding("technique slower", (worst.row,), figures)


def _how(run: Run, one: Judged, size: int) -> dict[str, object]:
    """Return by how much a row is slower, the likely causes, and a larger batch size at which it is faster."""
    larger = next((other for other in sorted(one.speed) if other > size and one.faster(other)), None)
    return {
        "batch": size,
        "speedup": one.speedup(size),
        "causes": causes(run, one, size),
        "baseline_s": one.baseline_s(size),
        "faster_at": larger,
        "faster_by": one.speedup(larger) if larger else None,
    }


def causes(run: Run, one: Judged, size: int) -> list[Cause]:
    """Return why a row is likely slower at a batch size."""
    call_s = one.baseline_s(size)
    small: list[Cause] = ["small model"] if call_s is not None and call_s < SMALL_CALL_S else []
    return [*_plain_causes(run, one), *small]


def _plain_causes(run: Run, one: Judged) -> Iterator[Cause]:
    """Yield what speaks for itself in the row or the machine."""
    row, isa = one.row, run.machine.isa
    if row.scheme == "D" and row.layers is not None and row.layers.changed < row.layers.total:
        yield "layers left in float32"
    if run.settings.device == "cpu":
        x86 = run.machine.architecture.lower() in ("x86_64", "amd64")
        if one.int8 and x86 and not any("VNNI" in flag or "INT8" in flag for flag in isa):
            yield "no VNNI"
        elif row.dtype == "float16" and row.scheme == "--" and not any("FP16" in flag for flag in isa):
            yield "no float16 arithmetic"
        elif row.dtype == "bfloat16" and not computes_bfloat16(isa):
            yield "no bfloat16 arithmetic"
    if row.scheme == "AMP":
        yield "weights cast"
