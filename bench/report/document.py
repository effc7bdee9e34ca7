"""What a report says of a run, chapter by chapter."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import conditions, recommendation, sizes, unpaired
from bench.report.accuracy import HOW_TO_READ, accuracies
from bench.report.blocks import Block, Chapter, Document, Gallery, Listing
from bench.report.discussion import discuss
from bench.report.findings import trainings
from bench.report.headline import headline, how_to_read
from bench.report.lab import lab_table
from bench.report.noise import disturbances, latency_details
from bench.report.pictures import Picture, pictures_of
from bench.report.sizes import scores, sizes_and_work
from bench.report.tables import Table
from bench.report.verdicts import ADJUSTED, verdicts
from bench.results.run import Run
from bench.results.schemes import SCHEMES

SCORES = (
    "Scores are lower for smaller networks. Rules have different references and units, so scores of different rules do "
    "not compare."
)
PICTURES = (
    "Accuracy against cost: the line joins variants that no other beats in both (Pareto front). Latency: fp32's "
    "divided by the speed-up; the thick line spans the middle half of all rounds, the thin one the 5th to the 95th "
    "percentile. Speed-up: with its 99 % interval; right of the line is faster than fp32."
)
OVER_MODELS = (
    " The picture of a task has all its models: a point is labelled by its model and has the look of its technique."
)
"""What is said where there is such a picture."""


def document(run: Run, number: int = 1) -> Document:
    """Return the report of a run; ``number`` tells the pictures of several runs apart."""
    disturbed = disturbances(run) if run.timed_by == "bench" else unpaired.DISTURBANCES
    headlines = [headline(run, data) for data in run.data]
    answers = [table for data in run.data if (table := accuracies(run, data)).rows]
    chapters = [
        Chapter("Results", [*headlines, how_to_read(run), *(lab_table(run, data) for data in run.data), _legend(run)]),
        Chapter("Recommendation", recommendation.chapter(run)),
        Chapter("At a glance", _galleries(run, number)),
        Chapter("Discussion", [Listing([(point, ()) for point in points], title) for title, points in discuss(run)]),
        Chapter("Accuracy", [*answers, HOW_TO_READ] if answers else []),
        Chapter(
            "Size and work",
            [*(sizes_and_work(run, data) for data in run.data), sizes.how_to_read(run)],
        ),
        Chapter("Scores", [*tables, SCORES] if (tables := _scores(run)) else []),
        Chapter("Verdicts", [ADJUSTED, Listing(given)] if (given := list(verdicts(run).items())) else []),
        Chapter("Measurement noise", [disturbed, *(latency_details(run, data) for data in run.data)]),
        Chapter("Notes", _notes(run)),
        Chapter("Hardware", [conditions.hardware(run.machine)]),
        Chapter("Settings", [conditions.settings(run)]),
        Chapter("Data", [conditions.data(run)]),
        Chapter("Training", [conditions.training(run)] if run.trainings else []),
    ]
    return Document(
        f"Quantbench: {run.settings.suite} on {run.machine.cpu}",
        _warnings(run),
        [chapter for chapter in chapters if chapter.blocks],
    )


def _warnings(run: Run) -> list[str]:
    warnings = list(run.notes)
    if synthetic := [data.title for data in run.data if data.kind == "synthetic"]:
        warnings.append(
            f"**Synthetic data.** The figures for {_and(synthetic)} are measured on generated stand-ins. "
            f"Their accuracies say nothing about the real sets."
        )
    if not run.finished:
        warnings.append("**Unfinished.** This run was interrupted; the same command goes on from here.")
    return warnings


def _legend(run: Run) -> Listing:
    schemes = dict.fromkeys(row.scheme for row in run.rows)
    return Listing(
        [
            (
                f"`{scheme}` {SCHEMES.get(scheme, 'as its technique describes')}",
                trainings.shared_with_amp(run) if scheme == "AMP" else (),
            )
            for scheme in schemes
        ],
        "Q",
    )


def _galleries(run: Run, number: int) -> list[Block]:
    by_model: dict[str, list[Picture]] = {}
    for picture in pictures_of(run, number):
        by_model.setdefault(picture.model, []).append(picture)
    if not by_model:
        return []
    together = any(model not in {row.full_model for row in run.rows} for model in by_model)
    return [*(Gallery(model, pictures) for model, pictures in by_model.items()), PICTURES + OVER_MODELS * together]


def _scores(run: Run) -> list[Table]:
    return [table for data in run.data if (table := scores(run, data)) is not None]


def _notes(run: Run) -> list[Block]:
    """List each note once, with the rows it holds for."""
    holders: dict[str, list[str]] = {}
    for row in run.rows:
        for note in row.notes:
            holders.setdefault(f"`{row.key}`: {note}", []).append(row.full_model)
    items = [(f"{note} ({', '.join(dict.fromkeys(names))})", ()) for note, names in holders.items()]
    return [Listing(items)] if items else []


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
