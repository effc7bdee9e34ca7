"""The report in markdown: the lab's tables, what they stand on, and what could not be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tabulate import tabulate

from bench.report.units import MISSING, counted, duration, gibibytes, megabytes, percent, ratio
from bench.result import BASELINE, Data, Machine, Row, Run
from bench.schemes import SCHEMES
from bench.summary import ALPHA, Interval, mean_std, wilson
from bench.verdict import NOT_COMPARABLE, UNDECIDED, Verdict, accuracy_verdicts, latency_verdicts

_HOW_TO_READ = (
    "Speed-up: fp32's time / the variant's, each the mean of the fastest quarter of the paired rounds, with its 95 % "
    "interval. Accuracy: 95 % Wilson interval. Words are verdicts: given only where at most one table of equals in "
    f"{1 / ALPHA:,.0f} would get one (Holm); = means no difference detected."
)
_SIZES = (
    "Packed: the smallest file of ours that reloads, in a fresh process, to the same logits to the bit, verified in "
    "this run. × smaller: fp32's packed file / the variant's. MACs: multiply-accumulates of one "
    "example. Memory: growth of the variant's process from before loading to the peak of one batch of {batch}. Layers: "
    "Linear and convolution layers that the technique changed."
)


def render(runs: Sequence[Run]) -> str:
    """Return one document with a chapter for each run."""
    return "\n\n".join(_run(run) for run in runs) + "\n"


def lab_tables(run: Run) -> str:
    """Return the lab's table of each task, captioned, and below it what its rows could not do."""
    return "\n\n".join(_task(run, data) for data in run.data)


def _run(run: Run) -> str:
    parts = [f"# Quantbench: {run.settings.suite} on {run.machine.cpu}"]
    synthetic = [data.title for data in run.data if data.kind == "synthetic"]
    if synthetic:
        parts.append(
            f"> **Synthetic data.** The figures for {_and(synthetic)} are measured on generated stand-ins. "
            f"They say nothing about the real sets."
        )
    if not run.finished:
        parts.append("> **Unfinished.** This run was interrupted; the same command goes on from here.")
    parts += [
        "## Results",
        lab_tables(run),
        _legend(run),
        "## Against fp32",
        "\n\n".join(_comparison(run, data) for data in run.data),
        _HOW_TO_READ,
        "## Size and work",
        "\n\n".join(_sizes(run, data) for data in run.data),
        _SIZES.format(batch=max(run.settings.batch_sizes)),
        "## Verdicts",
        _verdicts(run),
        "## How quiet it was",
        _quiet(run),
    ]
    if notes := _notes(run):
        parts += ["## To be known of these rows", notes]
    parts += [
        "## Hardware",
        hardware_table(run.machine),
        "## Settings",
        _settings(run),
        "## Data",
        _data(run),
        "## Training",
        _training(run),
    ]
    return "\n\n".join(part for part in parts if part)


def _task(run: Run, data: Data) -> str:
    header = ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy"]
    sizes = run.settings.batch_sizes
    header += [f"Latency B{size}" if not position else f"B{size}" for position, size in enumerate(sizes)]
    rows = run.rows_of(data.task)
    table = [
        [
            row.model,
            row.scheme,
            row.dtype,
            megabytes(row.size_bytes) if row.size_bytes is not None else MISSING,
            f"{row.params:,}" if row.params is not None else MISSING,
            percent(row.accuracy.correct / row.accuracy.total) if row.accuracy else MISSING,
            *(duration(mean_std(row.latency[size].runs_s)) if size in row.latency else MISSING for size in sizes),
        ]
        for row in rows
    ]
    parts = [f"### {data.title}", _caption(run, data), _table(table, header)]
    parts += [
        f"- `{row.model}` {row.scheme} {row.dtype} (`{row.technique}`) **{row.status}**: {row.reason}"
        for row in rows
        if row.status != "ok"
    ]
    return "\n\n".join(parts[:3]) + ("\n\n" + "\n".join(parts[3:]) if parts[3:] else "")


def _caption(run: Run, data: Data) -> str:
    kind = "real data" if data.kind == "real" else f"**SYNTHETIC data, not {data.title}**"
    return (
        f"{data.title}, {kind}: accuracy on all {data.test_examples:,} test examples; latency of one call on "
        f"{run.settings.device} with {counted(run.settings.threads, 'thread')}, "
        f"mean ± std over {counted(run.settings.runs, 'run')}."
    )


def _comparison(run: Run, data: Data) -> str:
    sizes = run.settings.batch_sizes
    header = [
        "Model",
        "Technique",
        *(text for size in sizes for text in (f"Speed-up B{size}", "")),
        "Accuracy",
        "",
        "Agreement",
    ]
    rows = run.rows_of(data.task)
    speeds = [latency_verdicts(rows, size) for size in sizes]
    accuracies = accuracy_verdicts(rows)
    table = [
        [
            row.model,
            row.technique,
            *(
                text
                for size, verdicts in zip(sizes, speeds, strict=True)
                for text in (_speedup(row, size), _word(verdicts[position]))
            ),
            _accuracy(row),
            _word(accuracies[position]),
            percent(row.agreement.same / row.accuracy.total) if row.agreement and row.accuracy else MISSING,
        ]
        for position, row in enumerate(rows)
    ]
    return f"### {data.title}: against fp32\n\n{_caption(run, data)}\n\n{_table(table, header)}"


def _word(verdict: Verdict) -> str:
    return {UNDECIDED: "=", NOT_COMPARABLE: ""}.get(verdict.word, verdict.word)


def _sizes(run: Run, data: Data) -> str:
    header = ["Model", "Technique", "Packed (MB)", "× smaller", "By dtype (bytes)", "MACs", "Memory (MB)", "Layers"]
    rows = run.rows_of(data.task)
    baselines = {row.model: row.packed_bytes for row in rows if row.technique == BASELINE}
    table = [
        [
            row.model,
            row.technique,
            megabytes(row.packed_bytes) if row.packed_bytes is not None else MISSING,
            _smaller(row.packed_bytes, baselines.get(row.model)),
            ", ".join(f"{dtype} {count:,}" for dtype, count in row.bytes_by_dtype.items()) or MISSING,
            f"{row.macs:,}" if row.macs is not None else MISSING,
            megabytes(row.peak_memory_bytes) if row.peak_memory_bytes is not None else MISSING,
            f"{row.layers.changed} of {row.layers.total}" if row.layers else MISSING,
        ]
        for row in rows
    ]
    return f"### {data.title}: size and work\n\n{_table(table, header)}"


def _smaller(packed_bytes: int | None, baseline_bytes: int | None) -> str:
    return f"{baseline_bytes / packed_bytes:.2f}×" if packed_bytes and baseline_bytes else MISSING


def _verdicts(run: Run) -> str:
    """Return one sentence for each row that is not the baseline."""
    lines = []
    for data in run.data:
        rows = run.rows_of(data.task)
        families = [latency_verdicts(rows, size) for size in run.settings.batch_sizes] + [accuracy_verdicts(rows)]
        for position, row in enumerate(rows):
            if row.technique != BASELINE:
                sentences = dict.fromkeys(family[position].sentence for family in families)
                lines.append(f"- `{row.task}/{row.model}` `{row.technique}` {'; '.join(sentences)}.")
    return "\n".join(lines)


def _quiet(run: Run) -> str:
    """Return how many blocks were disturbed, and by what."""
    timed = [latency for row in run.rows for latency in row.latency.values()]
    blocks = sum(len(latency.rounds_s) + len(latency.repeated_s) for latency in timed)
    repeated = sum(len(latency.repeated_s) for latency in timed)
    kept = sum(len(latency.disturbed) for latency in timed)
    causes: Counter[str] = Counter()
    for latency in timed:
        causes.update(latency.causes)
    named = ", ".join(f"{count:,} × {cause}" for cause, count in causes.most_common()) or "none known"
    return (
        f"Of {counted(blocks, 'block')} {repeated:,} were disturbed from outside and repeated, and {kept:,} were still "
        f"disturbed after the last repetition (causes: {named}). `run.json` has all of them, by row."
    )


def _speedup(row: Row, size: int) -> str:
    if row.technique == BASELINE and size in row.latency:
        return "1"
    found = row.speedup.get(size)
    return ratio(Interval(found.value, found.low, found.high, found.confidence)) if found else MISSING


def _accuracy(row: Row) -> str:
    if row.accuracy is None:
        return MISSING
    interval = wilson(row.accuracy.correct, row.accuracy.total)
    return f"{percent(interval.value)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _legend(run: Run) -> str:
    schemes = dict.fromkeys(row.scheme for row in run.rows)
    lines = [f"- `{scheme}` {SCHEMES.get(scheme, 'as its technique describes')}" for scheme in schemes]
    return "**Q**\n\n" + "\n".join(lines) if lines else ""


def _notes(run: Run) -> str:
    """List each note once, with the rows it holds for."""
    holders: dict[str, list[str]] = {}
    for row in run.rows:
        for note in row.notes:
            holders.setdefault(f"`{row.technique}`: {note}", []).append(f"{row.task}/{row.model}")
    return "\n".join(f"- {note} ({', '.join(dict.fromkeys(names))})" for note, names in holders.items())


def hardware_table(machine: Machine) -> str:
    """Return what is known of a machine, as a table."""
    cores = f"{machine.logical_cores} logical, {machine.physical_cores or 'unknown'} physical"
    return _table(
        [
            ["CPU", machine.cpu],
            ["Instruction sets", ", ".join(machine.isa) or "none of those that matter here"],
            ["Cores", cores],
            ["Memory", gibibytes(machine.memory_bytes)],
            ["Accelerators", ", ".join(machine.accelerators) or "none"],
            ["System", f"{machine.os} on {machine.architecture}"],
            ["Python, torch", f"{machine.python}, {machine.torch}"],
            ["Quantized engines", ", ".join(machine.quantized_engines) or "none"],
            ["Active by default", machine.quantized_engine],
        ],
        ["", ""],
    )


def _settings(run: Run) -> str:
    settings = run.settings
    budget = (
        f"{settings.budget_s:g} s a model" if settings.budget_s else "as long as the least rounds take, and a little"
    )
    cores = ", ".join(map(str, settings.pinned_cores))
    return _table(
        [
            ["Models", ", ".join(settings.models)],
            ["Device, threads", f"{settings.device}, {settings.threads}" + (f", on core {cores}" if cores else "")],
            ["Quantized engine", _engine(run)],
            ["Batch sizes", ", ".join(map(str, settings.batch_sizes))],
            ["Runs", f"{settings.runs}, each the mean over its share of the rounds"],
            ["Precision, budget", f"±{settings.precision:.1%} of a speed-up; {budget}"],
            ["Seed", str(settings.seed)],
            ["Data asked for", settings.data],
            ["Measured", f"{run.created} with quantbench {run.quantbench}"],
        ],
        ["", ""],
    )


def _engine(run: Run) -> str:
    engine = run.settings.engine
    return engine if engine in run.machine.quantized_engines else f"{engine}, which this torch does not have"


def _data(run: Run) -> str:
    lines = []
    for data in run.data:
        lines.append(
            f"- **{data.title}** ({data.kind}): {data.origin}; {data.train_examples:,} training and "
            f"{data.test_examples:,} test examples; fingerprint `{data.fingerprint}`. {data.citation}."
        )
        if data.note:
            lines.append(f"  - Why not the real set: {data.note}.")
    return "\n".join(lines)


def _training(run: Run) -> str:
    table = [
        [
            training.model,
            training.description,
            training.precision,
            f"{training.recipe.get('optimizer', MISSING)}, lr {training.recipe.get('learning_rate', MISSING)}",
            training.recipe.get("batch_size", MISSING),
            training.recipe.get("epochs", MISSING),
            f"{training.seconds:.1f} s, {counted(training.threads, 'thread')}",
            f"`{training.recipe_hash}`",
        ]
        for training in run.trainings
    ]
    return _table(table, ["Model", "Network", "Trained in", "Optimizer", "Batch", "Epochs", "Time", "Recipe"])


def _table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    align = ["left" if name in _TEXT else "right" for name in header]
    return tabulate(rows, headers=list(header), tablefmt="pipe", colalign=align, disable_numparse=True) if rows else ""


_TEXT = {"", "Model", "Q", "dtype", "Technique", "By dtype (bytes)", "Network", "Trained in", "Optimizer", "Recipe"}
"""Columns that are read from the left."""


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
