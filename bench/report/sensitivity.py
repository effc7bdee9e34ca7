"""A sensitivity study as markdown and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.files import write_atomically
from bench.core.units import MISSING, counted, duration, kilobytes, megabytes, percent, ratio
from bench.core.variant_key import BASELINE
from bench.report.drawing import COLOURS, GREY, MARKERS, figure_of, svg
from bench.report.lab import caption
from bench.report.tables import table
from bench.results.run import Row, Run
from bench.results.sensitivity import Change, LayerStudy, Recommendation, Sensitivity
from bench.results.verdict import NOT_COMPARABLE, UNDECIDED, accuracy_verdicts, p_text
from bench.stats.times import mean_std

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_FILE = "sensitivity.svg"
ROW_INCHES = 0.42
"""The height of one layer in the picture."""

HOW_TO_READ = (
    "Change: accuracy − fp32's on the same examples, in percentage points, with its 95 % score interval (Tango 1998). "
    "p: McNemar's, of so unequal losses and gains between equals; the word beside it is given only where at most one "
    "table of equals in a thousand would get one (Holm), = is no difference detected. Speed-up: over fp32 in paired "
    "rounds. Packed: the smallest file that reloads to the same logits, verified. The first layer is the most "
    "sensitive: it loses most alone; of equals, the one that is worth most to spare."
)
SIMULATED = (
    "Latency is left out: float32 kernels simulate what low precision would compute, which says nothing of real ones."
)


def render(study: Sensitivity, picture: str | None = PICTURE_FILE) -> str:
    """Return the study as one document; ``picture`` is the file it shows, if any."""
    [data] = study.run.data
    parts = [f"# Sensitivity of {study.model} on {study.run.machine.cpu}"]
    if data.kind == "synthetic":
        parts.append(
            f"> **Synthetic data.** The figures are measured on a generated stand-in for {data.title}. "
            f"They say nothing about the real set."
        )
    parts += [caption(study.run, data), HOW_TO_READ]
    if picture:
        parts.append(f"![Accuracy lost by layer of {study.model}]({picture})")
    for technique in study.techniques:
        parts += _technique(study, technique)
    if study.recommendation is not None:
        parts += _recommendation(study.recommendation)
    parts += _notes(study)
    return "\n\n".join(part for part in parts if part) + "\n"


def _technique(study: Sensitivity, technique: str) -> list[str]:
    layers = study.of(technique)
    references = {BASELINE.technique: "none", technique: "all"}
    spared = {each.others: each.layer for each in layers if each.others is not None}
    parts = [
        f"## `{technique}`",
        "### Only this layer",
        _rows(study.run, references | {each.only: each.layer for each in layers}, layers),
    ]
    if spared:
        parts += ["### All but this layer", _rows(study.run, references | spared, layers)]
    if _simulated(study.run, [each.only for each in layers]):
        parts.append(SIMULATED)
    return parts


def _rows(run: Run, labels: dict[str, str], layers: Sequence[LayerStudy]) -> str:
    """Return a table of the rows that ``labels`` name, in its order."""
    weights = {each.layer: f"{each.weights:,}" for each in layers}
    header, cells = _cells(run, list(labels))
    return table(
        [[label, weights.get(label, ""), *row] for label, row in zip(labels.values(), cells, strict=True)],
        ["Layer", "Weights", *header],
    )


def _cells(run: Run, techniques: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return the columns that all tables share, and the cells of some rows; latencies unless they are simulated."""
    by_name = {row.technique: row for row in run.rows}
    words = {row.technique: each.word for row, each in zip(run.rows, accuracy_verdicts(run.rows), strict=True)}
    sizes = [] if _simulated(run, techniques) else run.settings.batch_sizes
    header = ["Accuracy", "Change (pp)", "Lost", "Gained", "p", "Verdict", "Packed (kB)", "Size (MB)"]
    header += [text for size in sizes for text in (f"Latency B{size}", f"Speed-up B{size}")]
    cells = []
    for name in techniques:
        row = by_name[name]
        change = Change.of_row(row)
        cells.append(
            [
                percent(row.accuracy.correct / row.accuracy.total) if row.accuracy else row.status,
                points(change) if change else MISSING,
                f"{change.lost:,}" if change else MISSING,
                f"{change.gained:,}" if change else MISSING,
                p_text(change.p_value).removeprefix("p ").removeprefix("= ") if change else MISSING,
                {UNDECIDED: "=", NOT_COMPARABLE: ""}.get(words[name], words[name]),
                kilobytes(row.packed_bytes) if row.packed_bytes is not None else MISSING,
                megabytes(row.size_bytes) if row.size_bytes is not None else MISSING,
                *(text for size in sizes for text in _latency(row, size)),
            ]
        )
    return header, cells


def _latency(row: Row, size: int) -> list[str]:
    if row.simulated or size not in row.latency:
        return [MISSING, MISSING]
    found = row.speedup.get(size)
    speedup = ratio(found.interval) if found else MISSING
    return [duration(mean_std(row.latency[size].runs_s)), "1" if row.key == BASELINE else speedup]


def _simulated(run: Run, techniques: Sequence[str]) -> bool:
    """Return whether all that is measured of some techniques but fp32 is simulated."""
    rows = [row for row in run.rows if row.technique in techniques and row.key != BASELINE]
    return bool(rows) and all(row.simulated for row in rows if row.latency)


def points(change: Change) -> str:
    """Return a change and its interval in percentage points: ``−0.12 [−0.20, −0.05]``."""
    return f"{_signed(change.value)} [{_signed(change.low)}, {_signed(change.high)}]"


def _signed(share: float) -> str:
    text = f"{100 * share:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def _recommendation(found: Recommendation) -> list[str]:
    header, cells = _cells(found.run, [row.technique for row in found.run.rows])
    rows = [
        [f"`{row.technique}`" + (" **recommended**" if row.technique == found.technique else ""), *cell]
        for row, cell in zip(found.run.rows, cells, strict=True)
    ]
    steps = [
        [
            f"`{step.technique}`",
            kilobytes(step.packed_bytes) if step.packed_bytes is not None else MISSING,
            _signed(step.predicted),
            points(step.change) if step.change else "failed",
            "yes" if step.fits else "no",
        ]
        for step in found.steps
    ]
    return [
        f"## Recommended within {100 * found.max_drop:g} pp",
        _sentence(found),
        table([[layer, f"`{name}`"] for layer, name in found.layers.items()], ["Layer", "Technique"]),
        table(rows, ["Technique", *header]),
        "What the search measured, in this order:" if steps else "",
        table(steps, ["Technique", "Packed (kB)", "Predicted (pp)", "Change (pp)", "Fits"]),
    ]


def _sentence(found: Recommendation) -> str:
    """Say what was found, and how it is judged."""
    if found.technique == BASELINE.technique:
        return (
            f"No mixture of these techniques loses at most {100 * found.max_drop:g} pp on the "
            f"{counted(found.search.total, 'test example')} of the search, so nothing is recommended."
        )
    within = found.held_back.value >= -found.max_drop
    verdict = "within the allowance too" if within else "**more than was allowed: do not rely on it**"
    return (
        f"`{found.technique}` is the smallest mixture found whose accuracy changes by no less than "
        f"{_signed(-found.max_drop)} pp on every second test example: {points(found.search)}. On the "
        f"{counted(found.held_back.total, 'example')} that the search did not look at it changes by "
        f"{points(found.held_back)}: {verdict}. Both are judged by the value, and the interval says how far it can be "
        f"trusted; the table below is on all test examples."
    )


def _notes(study: Sensitivity) -> list[str]:
    rows = [*study.run.rows, *(study.recommendation.run.rows if study.recommendation else ())]
    problems = [f"`{row.key}` **{row.status}**: {row.reason}" for row in rows if row.status != "ok"]
    notes = [note for row in rows for note in row.notes]
    lines = [f"- {line}" for line in dict.fromkeys([*problems, *notes])]
    return ["## To be known of these rows", "\n".join(lines)] if lines else []


def draw(study: Sensitivity, path: Path) -> None:
    """Draw the change of accuracy by layer, a panel a technique, ranked, with intervals; nothing without any layer."""
    panels = [(technique, layers) for technique in study.techniques if (layers := study.of(technique))]
    if not panels:
        return
    heights = [ROW_INCHES * len(layers) + 0.25 for _, layers in panels]
    labels = max(len(each.layer) for _, layers in panels for each in layers)
    with figure_of(8.0, sum(heights) + 0.75 * len(panels) + 0.45) as figure:
        width, height = figure.get_size_inches()
        grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        figure.subplots_adjust(
            (0.3 + 0.075 * labels) / width, 0.5 / height, 1 - 0.15 / width, 1 - 0.65 / height, hspace=0.75
        )
        for axes, (technique, layers) in zip(grid, panels, strict=True):
            whole = next(row for row in study.run.rows if row.technique == technique)
            _panel(axes, technique, layers, Change.of_row(whole))
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="upper center", ncols=len(names))
        write_atomically(path, svg(figure, f"Accuracy lost by layer of {study.model}"))


def _panel(axes: Axes, technique: str, layers: Sequence[LayerStudy], whole: Change | None) -> None:
    """Draw two bars a layer, the most sensitive on top, each with its value and interval."""
    series: list[tuple[str, float, int, list[Change | None]]] = [
        ("only this layer", -0.19, 0, [each.only_change for each in layers]),
        ("all but this layer", 0.19, 1, [each.others_change for each in layers]),
    ]
    for label, offset, look, changes in series:
        colour, marker = COLOURS[look], MARKERS[look]
        at = [position + offset for position, change in enumerate(changes) if change is not None]
        known = [change for change in changes if change is not None]
        values = [100 * change.value for change in known]
        below = [100 * (change.value - change.low) for change in known]
        above = [100 * (change.high - change.value) for change in known]
        axes.barh(at, values, height=0.34, color=colour, alpha=0.45)  # the interval shows through
        drawn = axes.errorbar(values, at, xerr=[below, above], fmt=marker, color=colour, ecolor=GREY, capsize=2.5)
        drawn[0].set_markersize(4)
        drawn.set_label(label)
    axes.axvline(0, color=GREY, linewidth=1)
    if whole is not None:
        axes.axvline(100 * whole.value, color=COLOURS[2], linestyle="--", linewidth=1.2, label="all layers")
    axes.set_yticks(range(len(layers)), [each.layer for each in layers])
    axes.set_ylim(len(layers) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_title(technique, loc="left", parse_math=False)
    axes.set_xlabel("Accuracy − fp32's (percentage points)")
