"""Findings on speed-ups in sentences."""

from __future__ import annotations

from collections.abc import Callable

from bench.core.units import counted, megabytes, percent, ratio, seconds
from bench.core.variant_key import BASELINE
from bench.report.findings.finding import Finding
from bench.report.names import named
from bench.results.row import Row
from bench.results.run import Run
from bench.stats.multiple_tests import LATENCY_ALPHA

READING = (
    "a call of one example uses each weight once and spends most of its time reading them, here {} MB instead of {}."
)
"""Why few bits help at batch 1; with the megabytes of a file and of fp32's."""
_CAUSES = {
    "no VNNI": "this CPU has no VNNI, so an int8 product takes several instructions",
    "no float16 arithmetic": "this CPU has no float16 arithmetic, so each operation converts to float32 and back",
    "no bfloat16 arithmetic": "this CPU has no bfloat16 arithmetic",
    "weights cast": "float32 weights are cast at each call",
}


def _nowhere(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    undecided = figures["comparisons"] - figures["faster"]
    return (
        f"No slow-down is significant (p ≤ {LATENCY_ALPHA:g}): of {counted(figures['comparisons'], 'comparison')} "
        f"{figures['faster']} are faster, and in {undecided} no difference is detected. The smallest speed-up is that "
        f"of {named(row)} at batch {figures['batch']}, {ratio(figures['speedup'].interval)}."
    )


def _slower(_: Run, finding: Finding) -> str:
    [row] = finding.rows
    at = f"at batch {finding.figures['batch']}, {ratio(finding.figures['speedup'].interval)}"
    return f"{named(row)} is slower {at}.{_why(finding)}"


def _technique_slower(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    most = "most " if figures["slower"] > 1 else ""
    return (
        f"`{row.key}` is slower than {BASELINE} in {figures['slower']} of "
        f"{counted(figures['comparisons'], 'comparison')}, {most}on `{row.full_model}` at batch {figures['batch']}: "
        f"{ratio(figures['speedup'].interval)}.{_why(finding)}"
    )


def _why(finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    causes = [cause_in_words(cause, row, figures["baseline_s"]) for cause in figures["causes"]]
    likely = f" Likely: {'; '.join(causes)}." if causes else " The figures suggest no cause."
    if figures["faster_at"] is None:
        return likely
    return f"{likely} At batch {figures['faster_at']} it is faster, {ratio(figures['faster_by'].interval)}."


def cause_in_words(cause: str, row: Row, baseline_s: float) -> str:
    """Return a likely cause of a slow row, without a full stop; ``baseline_s`` is what a call of fp32 takes."""
    if cause == "layers left in float32" and row.layers is not None:
        return (
            f"dynamic quantization changed {row.layers.changed} of {row.layers.total} layers and leaves convolutions "
            f"in float32, so there is little to gain for quantizing at each call"
        )
    if cause == "small model":
        call = f"{seconds(baseline_s)} a call in {BASELINE}"
        return f"the model is small, {call}, so dispatch and conversions take a large part of it"
    return _CAUSES[cause]


def _ahead(_: Run, finding: Finding) -> str:
    ahead, behind = finding.rows
    batches = " and ".join(
        f"{ratio(ahead.speedup[size].interval)} against {ratio(behind.speedup[size].interval)} at batch {size}"
        for size in finding.figures["batches"]
    )
    one, other, layers = ahead.layers, behind.layers, ""
    if one is not None and other is not None and one.changed > other.changed:
        layers = f"; it changed {one.changed} of {one.total} layers, the other {other.changed}"
    return f"{named(ahead)} is faster than `{behind.key}`: {batches}{layers}."


def _neither(_: Run, finding: Finding) -> str:
    where = ", ".join(
        f"`{model}` at batch {' and '.join(map(str, sizes))}" for model, sizes in finding.figures["batches"].items()
    )
    return f"No significant difference between the two (p > {LATENCY_ALPHA:g}): {where}."


def _closer(_: Run, finding: Finding) -> str:
    closer, farther = finding.rows
    most, least = finding.figures["shares"]
    return (
        f"{named(closer)} answers {percent(most)} of the examples as {BASELINE} does, `{farther.key}` {percent(least)}."
    )


def _with_the_batch(_: Run, finding: Finding) -> str:
    figures, [row, *baselines] = finding.figures, finding.rows
    few, many = figures["batches"]
    word = "larger" if finding.kind == "gains with the batch" else "smaller"
    most = "most on " if figures["models"] > 1 else ""
    reading = ""
    if figures["reading"]:
        sizes = (megabytes(one.file_bytes or 0) for one in (row, baselines[0]))
        reading = f" Likely: {READING.format(*sizes)}"
    return (
        f"The speed-up of `{row.key}` is {word} at batch {many} than at batch {few} on {figures['models']} of "
        f"{counted(figures['of'], 'model')}, {most}`{row.full_model}`: {ratio(row.speedup[many].interval)} and "
        f"{ratio(row.speedup[few].interval)}.{reading}"
    )


def _shared(_: Run, finding: Finding) -> str:
    [row] = finding.rows
    (few, many), (alone, shared) = finding.figures["batches"], finding.figures["example_s"]
    return (
        f"Likely, where a speed-up is larger at batch {many}: what a call costs whatever its batch (dispatch, "
        f"conversions) hides much of the gain at batch {few}, and {many} examples share it at batch {many}. "
        f"{named(row)} takes {seconds(alone)} an example at batch {few} and {seconds(shared)} at batch {many}."
    )


SENTENCES: dict[str, Callable[[Run, Finding], str]] = {
    "int8 nowhere slower": _nowhere,
    "int8 slower": _slower,
    "technique slower": _technique_slower,
    "one int8 ahead": _ahead,
    "neither int8 ahead": _neither,
    "closer answers": _closer,
    "gains with the batch": _with_the_batch,
    "loses with the batch": _with_the_batch,
    "overhead shared": _shared,
}
