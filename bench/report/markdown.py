"""The report in markdown: the lab's tables, what they stand on, and what could not be done."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import unpaired
from bench.report.comparison import (
    HOW_TO_READ,
    SIZES,
    comparison,
    latency_details,
    quiet,
    scores,
    sizes_and_work,
    verdicts,
)
from bench.report.lab import lab_tables
from bench.report.pictures import trade_offs
from bench.report.tables import table
from bench.result import Machine, Run
from bench.schemes import SCHEMES
from bench.units import MISSING, counted, gibibytes, percent

__all__ = ["hardware_table", "lab_tables", "render"]


def render(runs: Sequence[Run]) -> str:
    """Return one document with a chapter for each run."""
    return "\n\n".join(_run(run) for run in runs) + "\n"


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
    paired = run.timed_by == "bench"
    parts += [f"> {note}" for note in run.notes]
    parts += [
        "## Results",
        lab_tables(run),
        _legend(run),
        "## Against fp32",
        "\n\n".join(comparison(run, data) for data in run.data),
        HOW_TO_READ if paired else unpaired.HOW_TO_READ,
        "## Size and work",
        "\n\n".join(sizes_and_work(run, data) for data in run.data),
        SIZES.format(batch=max(run.settings.batch_sizes)),
        *(_trade_off(run)),
        "## Verdicts",
        verdicts(run),
        "## How quiet it was",
        quiet(run) if paired else unpaired.QUIET,
        "\n\n".join(latency_details(run, data) for data in run.data),
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
    ]
    if training := _training(run):
        parts += ["## Training", training]
    return "\n\n".join(part for part in parts if part)


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
    cores = f"{machine.logical_cores or 'unknown'} logical, {machine.physical_cores or 'unknown'} physical"
    return table(
        [
            ["CPU", machine.cpu],
            ["Instruction sets", ", ".join(machine.isa) or "none of those that matter here"],
            ["Cores", cores],
            ["Memory", gibibytes(machine.memory_bytes) if machine.memory_bytes else "unknown"],
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
        f"{settings.budget_s:g} s a model" if settings.budget_s else "eight rounds, and a moment more for the precision"
    )
    cores = ", ".join(map(str, settings.pinned_cores))
    asked: list[list[object]] = [
        ["Precision, budget", f"±{percent(settings.precision, 1)} of a speed-up; {budget}"],
        ["Seed", str(settings.seed)],
        ["Data asked for", settings.data],
    ]
    return table(
        [
            ["Models", ", ".join(settings.models)],
            ["Device, threads", f"{settings.device}, {settings.threads}" + (f", on core {cores}" if cores else "")],
            ["Quantized engine", _engine(run)],
            ["Batch sizes", ", ".join(map(str, settings.batch_sizes))],
            ["Runs", f"{settings.runs}, each the mean over its share of the rounds"],
            *(asked if run.timed_by == "bench" else []),
            ["Measured", f"{run.created} with quantbench {run.quantbench}"],
        ],
        ["", ""],
    )


def _engine(run: Run) -> str:
    engine = run.settings.engine
    known = run.machine.quantized_engines
    return engine if engine in known or known == ["unknown"] else f"{engine}, which this torch does not have"


def _data(run: Run) -> str:
    lines = []
    for data in run.data:
        if data.kind == "own":
            lines.append(f"- **{data.title}**: {data.origin}.")
            continue
        lines.append(
            f"- **{data.title}** ({data.kind}): {data.origin}; {data.train_examples:,} training and "
            f"{data.test_examples:,} test examples; fingerprint `{data.fingerprint}`. {data.citation}."
        )
        if data.note:
            lines.append(f"  - Why not the real set: {data.note}.")
    return "\n".join(lines)


def _training(run: Run) -> str:
    cells = [
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
    return table(cells, ["Model", "Network", "Trained in", "Optimizer", "Batch", "Epochs", "Time", "Recipe"])


def _trade_off(run: Run) -> list[str]:
    """Return the chapter on what accuracy low-bit techniques leave at which size; nothing without any."""
    tables = [text for data in run.data if (text := scores(run, data))]
    if not tables:
        return []
    pictures = [
        f"![Accuracy of {model} against size and operations]({name})" for model, name in trade_offs(run).items()
    ]
    return ["## The trade-off", *pictures, *tables, SCORES]


SCORES = (
    "The line joins what no other technique beats in both accuracy and cost (Pareto front). Scores are lower for "
    "smaller networks; rules have different references and units and cannot be held against each other."
)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
