"""The findings of a run in sentences, by the titles of the discussion. Causes are not measured: they are likely."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from bench.core.units import counted, megabytes, percent
from bench.core.variant_key import BASELINE
from bench.report import axis_sentences, follow_up_sentences, speed_sentences, surprise_sentences
from bench.report.findings import follow_up
from bench.report.findings.accuracies import accuracies
from bench.report.findings.batch_sizes import batch_sizes
from bench.report.findings.dynamic_static import dynamic_or_static
from bench.report.findings.finding import Finding
from bench.report.findings.int8_schemes import after
from bench.report.findings.judged import judge
from bench.report.findings.sizes import sizes
from bench.report.findings.slower import slower_int8, slower_otherwise
from bench.report.names import named, points, together
from bench.results.run import Run
from bench.results.verdict import UNDECIDED, p_text
from bench.stats.proportions import standard_error

Parts = dict[str, list[Finding]]


def findings(run: Run) -> Parts:
    """Return what the figures of a run show, by the title of its part of the discussion; no part is empty."""
    judged = judge(run)
    dynamic, static = (list(after(run, judged, scheme)) for scheme in ("D", "S"))
    parts: dict[str, Iterable[Finding]] = {
        "Data": _synthetic(run),
        "After dynamic quantization": dynamic,
        "After static quantization": static,
        "Dynamic against static int8": dynamic_or_static(judged),
        "Size": sizes(judged),
        "Where int8 is slower than fp32": slower_int8(run, judged),
        "Where other techniques are slower than fp32": slower_otherwise(run, judged),
        "Small and large batches": batch_sizes(judged),
        "Accuracy": accuracies(run, judged),
        "Suggested follow-up": follow_up.follow_up(run, judged, asked=[*dynamic, *static]),
    }
    return {title: of_part for title, part in parts.items() if (of_part := list(part))}


def discuss(run: Run) -> list[tuple[str, list[str]]]:
    """Return the discussion's parts, each a title and its sentences, in markdown."""
    return [(title, [sentence(run, one) for one in part]) for title, part in findings(run).items()]


def sentence(run: Run, finding: Finding) -> str:
    """Put a finding into words, in markdown."""
    return _SENTENCES[finding.kind](run, finding)


def _synthetic(run: Run) -> Iterator[Finding]:
    for data in run.data:
        if data.kind == "synthetic":
            yield Finding("synthetic data", figures={"title": data.title})


def _of_synthetic(_: Run, finding: Finding) -> str:
    return (
        f"{finding.figures['title']} is a **synthetic** stand-in here: its accuracies say nothing about the real set."
    )


def _smallest(_: Run, finding: Finding) -> str:
    row, baseline = finding.rows
    return (
        f"{named(row)} is the smallest of its model: {megabytes(row.file_bytes or 0)} MB packed, "
        f"{finding.figures['times']:.2f}× smaller than {BASELINE}'s {megabytes(baseline.file_bytes or 0)} MB."
    )


def _hardly_smaller(_: Run, finding: Finding) -> str:
    [row] = finding.rows
    times, layers = finding.figures["times"], row.layers
    how = f"hardly smaller than {BASELINE}, {times:.2f}×" if times > 1 else f"larger than {BASELINE}, {1 / times:.2f}×"
    if round(times, 2) == 1:
        how = f"as large as {BASELINE}"
    return f"{named(row)} is {how}: it changed {layers.changed} of {layers.total} layers." if layers else ""


def _scale(_: Run, finding: Finding) -> str:
    [row] = finding.rows
    correct, total = (row.accuracy.correct, row.accuracy.total) if row.accuracy else (0, 1)
    title = finding.figures["title"] + (" (synthetic)" if finding.figures["kind"] == "synthetic" else "")
    return (
        f"{title} has {total:,} test examples: one answer is {100 / total:.2f} points, and the accuracy of "
        f"{named(row)}, {percent(correct / total)}, has a standard error of "
        f"{100 * standard_error(correct, total):.2f} points."
    )


def _difference(_: Run, finding: Finding) -> str:
    [row] = finding.rows
    agreement, accuracy, word = row.agreement, row.accuracy, finding.figures["word"]
    if agreement is None or accuracy is None:
        raise ValueError("no accuracies to compare")
    what = "" if word == UNDECIDED else f" is {word} than {BASELINE}"
    own_training = " Its weights come from a training of its own, which alone makes some difference."
    return (
        f"{named(row)}{what}: {points(finding.figures['points'])} on {accuracy.total:,} examples, "
        f"{counted(abs(agreement.gained - agreement.lost), 'answer')} ({agreement.lost:,} lost, {agreement.gained:,} "
        f"gained; McNemar's {p_text(agreement.p_value)}).{own_training if finding.figures['own_training'] else ''}"
    )


def _undecided(run: Run, finding: Finding) -> str:
    largest = "Largest of the other differences" if finding.figures["others"] else "Largest difference"
    return f"{largest}, not distinguishable from none: {_difference(run, finding)}"


def _differ_less(_: Run, finding: Finding) -> str:
    count, ends = finding.figures["count"], zip(finding.rows, finding.figures["points"], strict=True)
    rows = " to ".join(f"{named(row)} ({points(difference)})" for row, difference in ends)
    verb = "row is" if count == 1 else "rows are"
    return f"{count} further {verb} {finding.figures['word']} than {BASELINE}, by less: {rows}."


def _alike(_: Run, finding: Finding) -> str:
    return f"Every example is answered as by {BASELINE}: {together(finding.rows, task=True)}."


_SENTENCES: dict[str, Callable[[Run, Finding], str]] = dict(
    chain(
        {
            "synthetic data": _of_synthetic,
            "smallest": _smallest,
            "hardly smaller": _hardly_smaller,
            "accuracy scale": _scale,
            "accuracy differs": _difference,
            "accuracy undecided": _undecided,
            "accuracies differ less": _differ_less,
            "answers alike": _alike,
        }.items(),
        axis_sentences.SENTENCES.items(),
        surprise_sentences.SENTENCES.items(),
        speed_sentences.SENTENCES.items(),
        follow_up_sentences.SENTENCES.items(),
    )
)
