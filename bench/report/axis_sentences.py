"""The axes of a technique in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.core.units import megabytes, percent, ratio, seconds
from bench.core.variant_key import BASELINE
from bench.report.findings.axes import PROMISED
from bench.report.findings.finding import Finding
from bench.report.names import named
from bench.report.speed_sentences import READING, cause_in_words
from bench.results.row import Row
from bench.results.run import Run


def _axis(finding: Finding, name: str) -> str:
    return f"**{('First', 'Second')[finding.figures['position']]} axis, the {name}.**"


def _model_axis(_: Run, finding: Finding) -> str:
    figures, rows = finding.figures, finding.rows
    order = ", ".join(f"`{row.full_model}` {ratio(row.speedup[figures['batch']].interval)}" for row in rows)
    return (
        f"{_axis(finding, 'model')} At batch {figures['batch']} the speed-up of `{rows[0].key}` varies by a factor of "
        f"{figures['factor']:.1f} from model to model: {order}.{''.join(_reasons(finding))}"
    )


def _reasons(finding: Finding) -> Iterator[str]:
    figures, [least, *_, greatest] = finding.figures, finding.rows
    if figures["by_size"]:
        smallest, largest = megabytes(figures["files"][0]), megabytes(figures["files"][-1])
        yield (
            f" That is the order of {BASELINE}'s files, {smallest} to {largest} MB: the larger the model, the more it "
            f"gains."
        )
    if figures["causes"]:
        words = "; ".join(cause_in_words(cause, least, figures["baseline_s"]) for cause in figures["causes"])
        yield f" Likely, of the first: {words}."
    if figures["reading"]:
        yield f" Likely, of the last: {READING.format(_file(greatest), megabytes(figures['files'][-1]))}"


def _file(row: Row) -> str:
    return megabytes(row.file_bytes or 0)


def _batch_axis(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    few, many = figures["batches"]
    return (
        f"{_axis(finding, 'batch size')} From batch {few} to batch {many} the speed-up of {named(row)} goes from "
        f"{ratio(row.speedup[few].interval)} to {ratio(row.speedup[many].interval)}.{_on_a_line(finding)}"
    )


def _on_a_line(finding: Finding) -> str:
    """Split the times into what a call costs and what an example costs."""
    if not finding.figures["lines"]:
        return ""
    (call_s, example_s), (own_call_s, own_example_s) = finding.figures["lines"]
    text = (
        f" A line through both splits a call's time: {BASELINE} takes {seconds(call_s)}, and {seconds(example_s)} for "
        f"each example; it takes {seconds(own_call_s)} and {seconds(own_example_s)}. An example costs "
        f"{own_example_s / example_s:.2g} times as much then, and a call by itself {own_call_s / call_s:.2g} times"
    )
    if own_call_s > call_s and own_example_s < example_s:
        even = (own_call_s - call_s) / (example_s - own_example_s)
        return f"{text}; the two are even at a batch of {even:.1f}."
    return f"{text}."


def _size_axis(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    layers, left = row.layers, row.bytes_by_dtype.get("float32", 0)
    kept = f"; {megabytes(left)} MB of its {_file(row)} MB are float32" if left else ""
    changed = f", and it changed {layers.changed} of {layers.total} layers" if layers else ""
    others = ""
    if figures["others"]:
        least, most = min(figures["others"]), max(figures["others"])
        others = f" The other models come to {least:.2f}× to {most:.2f}×."
    return (
        f"{_axis(finding, 'size')} A quarter of the bits promises a file {PROMISED:g}× smaller. {named(row)} comes to "
        f"{figures['times']:.2f}×{kept}{changed}.{others}"
    )


def _accuracy_axis(_: Run, finding: Finding) -> str:
    [row] = finding.rows
    total = row.accuracy.total if row.accuracy else 1
    before, after = finding.figures["errors"]
    answers = ""
    if row.agreement:
        answers = (
            f" It answers {percent(row.agreement.same / total)} of them as {BASELINE} does; of the others "
            f"{row.agreement.lost:,} were right before and {row.agreement.gained:,} are right now."
        )
    return (
        f"{_axis(finding, 'accuracy')} {named(row)} answers {after:,} of {total:,} examples wrongly, {BASELINE} "
        f"{before:,}.{answers}"
    )


SENTENCES: dict[str, Callable[[Run, Finding], str]] = {
    "model axis": _model_axis,
    "batch axis": _batch_axis,
    "size axis": _size_axis,
    "accuracy axis": _accuracy_axis,
}
