"""The surprise of a technique in sentences, with its question and its experiment."""

from __future__ import annotations

from collections.abc import Callable

from bench.core.units import ratio
from bench.core.variant_key import BASELINE
from bench.report.command import command, sensitivity_command
from bench.report.findings.axes import PROMISED
from bench.report.findings.finding import Finding
from bench.report.names import named, points
from bench.report.speed_sentences import cause_in_words
from bench.results.run import Run


def _fast(_: Run, finding: Finding) -> str:
    figures, [row, *baselines] = finding.figures, finding.rows
    reading = ""
    if "call_s" in figures:
        rates = [
            f"{(one.file_bytes or 0) / 1e9 / call_s:.0f} GB/s"
            for one, call_s in zip((*baselines, row), figures["call_s"], strict=True)
        ]
        reading = f" If a call reads each weight once, {BASELINE} reads {rates[0]}, and it {rates[1]}."
    return (
        f"**Most surprising:** {named(row)} is faster at batch {figures['batch']} than a quarter of the bits explains, "
        f"{ratio(figures['speedup'].interval)} instead of at most {PROMISED:g}×.{reading}"
    )


def _slow(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    causes = [cause_in_words(cause, row, figures["baseline_s"]) for cause in figures["causes"]]
    likely = f"Likely: {'; '.join(causes)}." if causes else "The figures suggest no cause."
    return (
        f"**Most surprising:** {named(row)} has a quarter of the bits to read and multiply and is slower at batch "
        f"{figures['batch']}, {ratio(figures['speedup'].interval)}. {likely}"
    )


def _accuracy(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    return (
        f"**Most surprising:** the accuracy of {named(row)} is {figures['word']} than {BASELINE}'s, "
        f"{points(figures['points'])}, with {figures['factor']:.2f}× as many wrong answers."
    )


def _as_promised(_: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    return (
        f"**Most surprising:** nothing contradicts what a quarter of the bits promises, which is no slow-down, at most "
        f"{PROMISED:g}× as fast, and the same accuracy. The least speed-up is that of {named(row)} at batch "
        f"{figures['batch']}, {ratio(figures['speedup'].interval)}."
    )


def _in_the_cache(run: Run, finding: Finding) -> str:
    [row] = finding.rows
    return (
        f"**Question:** does a cache hold the weights of {named(row)} that cannot hold {BASELINE}'s? **Experiment:** "
        f"measure the batch sizes between, {command(run, row, batch_sizes=finding.figures['batches'])}. A batch reads "
        f"each weight once, too: if {BASELINE} waits for memory, its time hardly rises over the first of them while "
        f"that of int8 does, and the speed-up falls from one to the next."
    )


def _elsewhere(run: Run, finding: Finding) -> str:
    [row] = finding.rows
    technique, runtime = finding.figures["of"], finding.figures["runtime"]
    again = command(run, row.model_copy(update={"technique": technique, "runtime": runtime}))
    if technique == BASELINE.technique:
        question = f"is {BASELINE} slower on {row.runtime} than it need be?"
        then = f"If {BASELINE} gains there, too, so much of the speed-up is the runtime's and not that of 8 bits."
    elif not finding.figures["slow"]:
        question = f"is there more to gain of at most {PROMISED:g}×?"
        then = f"What it gains there beyond this is lost in the way in which {row.runtime} computes it."
    else:
        question = f"is `{technique}` slow, or the way in which {row.runtime} computes it?"
        then = "If it is slower than fp32 there, too, quantizing costs more than it saves, whoever computes."
    return f"**Question:** {question} **Experiment:** measure it on {runtime}: {again}. {then}"


def _which_layers(run: Run, finding: Finding) -> str:
    [row] = finding.rows
    return (
        f"**Question:** which layers of `{row.full_model}` make the difference? **Experiment:** quantize each alone, "
        f"and all but each: {sensitivity_command(run, row)}. If one layer makes most of it, leave that one in float32."
    )


SENTENCES: dict[str, Callable[[Run, Finding], str]] = {
    "surprisingly fast": _fast,
    "surprisingly slow": _slow,
    "surprising accuracy": _accuracy,
    "nothing surprising": _as_promised,
    "weights in the cache": _in_the_cache,
    "another runtime": _elsewhere,
    "which layers": _which_layers,
}
