"""What a report says of a run, chapter by chapter; markdown.py and page.py render it.

Sentences are markdown with nothing in them but ``**strong**`` and `` `code` ``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bench.core.units import MISSING, counted, gibibytes, percent
from bench.report import unpaired, weights
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
from bench.report.discussion import discuss
from bench.report.lab import lab_table
from bench.report.pictures import Picture, pictures_of
from bench.report.tables import Figure, Table
from bench.results.run import Machine, Run
from bench.results.schemes import SCHEMES

SCORES = (
    "Scores are lower for smaller networks; rules have different references and units and cannot be held against each "
    "other."
)
PICTURES = (
    "Accuracy against cost: the line joins what no other technique beats in both (Pareto front). Latency: median of "
    "all rounds, thick the middle half of them, thin from the 5th to the 95th of a hundred. Speed-up: with its 95 % "
    "interval, right of the line is faster than fp32."
)


ADJUSTED = (
    "The p-values here are adjusted for the other verdicts of the same model and column (Holm); the discussion has "
    "those of single comparisons."
)


@dataclass(frozen=True)
class Listing:
    """A list, each item with what stands below it."""

    items: Sequence[tuple[str, Sequence[str]]]
    title: str = ""


@dataclass(frozen=True)
class Gallery:
    """The pictures of one model."""

    title: str
    pictures: Sequence[Picture]


Block: TypeAlias = str | Listing | Table | Gallery


@dataclass(frozen=True)
class Chapter:
    """A part of the report under one heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """All that is said of one run."""

    title: str
    warnings: Sequence[str]
    chapters: Sequence[Chapter]


def document(run: Run, number: int = 1) -> Document:
    """Return the report of a run; ``number`` tells the pictures of several runs apart."""
    paired = run.timed_by == "bench"
    how_to_read, disturbed = (HOW_TO_READ, quiet(run)) if paired else (unpaired.HOW_TO_READ, unpaired.QUIET)
    chapters = [
        Chapter("Results", [*(lab_table(run, data) for data in run.data), _legend(run)]),
        Chapter("At a glance", _galleries(run, number)),
        Chapter("Discussion", [Listing([(point, ()) for point in points], title) for title, points in discuss(run)]),
        Chapter(
            "Against fp32",
            [*(comparison(run, data) for data in run.data), how_to_read],
        ),
        Chapter(
            "Size and work",
            [*(sizes_and_work(run, data) for data in run.data), SIZES.format(batch=max(run.settings.batch_sizes))],
        ),
        Chapter("Scores", [*tables, SCORES] if (tables := _scores(run)) else []),
        Chapter("Verdicts", [ADJUSTED, Listing(found)] if (found := list(verdicts(run).items())) else []),
        Chapter(
            "How quiet it was",
            [disturbed, *(latency_details(run, data) for data in run.data)],
        ),
        Chapter("To be known of these rows", _notes(run)),
        Chapter("Hardware", [hardware(run.machine)]),
        Chapter("Settings", [_settings(run)]),
        Chapter("Data", [_data(run)]),
        Chapter("Training", [_training(run)] if run.trainings else []),
    ]
    return Document(
        f"Quantbench: {run.settings.suite} on {run.machine.cpu}",
        _warnings(run),
        [chapter for chapter in chapters if chapter.blocks],
    )


def _warnings(run: Run) -> list[str]:
    found = list(run.notes)
    if synthetic := [data.title for data in run.data if data.kind == "synthetic"]:
        found.append(
            f"**Synthetic data.** The figures for {_and(synthetic)} are measured on generated stand-ins. "
            f"They say nothing about the real sets."
        )
    if not run.finished:
        found.append("**Unfinished.** This run was interrupted; the same command goes on from here.")
    return found


def _legend(run: Run) -> Listing:
    schemes = dict.fromkeys(row.scheme for row in run.rows)
    return Listing(
        [
            (
                f"`{scheme}` {SCHEMES.get(scheme, 'as its technique describes')}",
                weights.shared_with_amp(run) if scheme == "AMP" else (),
            )
            for scheme in schemes
        ],
        "Q",
    )


def _galleries(run: Run, number: int) -> list[Block]:
    by_model: dict[str, list[Picture]] = {}
    for picture in pictures_of(run, number):
        by_model.setdefault(picture.model, []).append(picture)
    return [*(Gallery(model, pictures) for model, pictures in by_model.items()), PICTURES] if by_model else []


def _scores(run: Run) -> list[Table]:
    return [found for data in run.data if (found := scores(run, data)) is not None]


def _notes(run: Run) -> list[Block]:
    """List each note once, with the rows it holds for."""
    holders: dict[str, list[str]] = {}
    for row in run.rows:
        for note in row.notes:
            holders.setdefault(f"`{row.key}`: {note}", []).append(row.full_model)
    items = [(f"{note} ({', '.join(dict.fromkeys(names))})", ()) for note, names in holders.items()]
    return [Listing(items)] if items else []


def hardware(machine: Machine) -> Table:
    """Return what is known of a machine."""
    cores = f"{machine.logical_cores or 'unknown'} logical, {machine.physical_cores or 'unknown'} physical"
    return Table(
        ["", ""],
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
    )


def _settings(run: Run) -> Table:
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
    return Table(
        ["", ""],
        [
            ["Models", ", ".join(settings.models)],
            ["Device, threads", f"{settings.device}, {settings.threads}" + (f", on core {cores}" if cores else "")],
            ["Quantized engine", _engine(run)],
            ["Batch sizes", ", ".join(map(str, settings.batch_sizes))],
            ["Runs", f"{settings.runs}, each the mean over its share of the rounds"],
            *(asked if run.timed_by == "bench" else []),
            ["Measured", f"{run.created} with quantbench {run.quantbench}"],
        ],
    )


def _engine(run: Run) -> str:
    engine = run.settings.engine
    known = run.machine.quantized_engines
    return engine if engine in known or known == ["unknown"] else f"{engine}, which this torch does not have"


def _data(run: Run) -> Listing:
    items = []
    for data in run.data:
        what = (
            f"**{data.title}** ({data.kind}): {data.origin}; {data.train_examples:,} training and "
            f"{data.test_examples:,} test examples; fingerprint `{data.fingerprint}`. {data.citation}."
            if data.kind != "own"
            else f"**{data.title}**: {data.origin}."
            if not run.settings.inputs
            else f"**{data.title}** (a model of your own), inputs: {data.origin}; fingerprint of its files "
            f"`{data.fingerprint}`. Calibrated on: {run.settings.calibrate or 'the example inputs'}."
        )
        items.append((what, [f"Why not the real set: {data.note}."] if data.note else []))
    return Listing(items)


def _training(run: Run) -> Table:
    cells = [
        [
            training.model,
            training.description,
            training.precision,
            f"{training.recipe.get('optimizer', MISSING)}, lr {training.recipe.get('learning_rate', MISSING)}",
            training.recipe.get("batch_size", MISSING),
            training.recipe.get("epochs", MISSING),
            Figure(f"{training.seconds:.1f} s, {counted(training.threads, 'thread')}", training.seconds),
            f"`{training.recipe_hash}`",
        ]
        for training in run.trainings
    ]
    return Table(["Model", "Network", "Trained in", "Optimizer", "Batch", "Epochs", "Time", "Recipe"], cells)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
