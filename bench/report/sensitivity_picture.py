"""The picture of a sensitivity study: the change of accuracy by layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.files import write_atomically
from bench.report.drawing import COLOURS, GREY, MARKERS, figure_of, short, svg
from bench.results.sensitivity import Change, LayerStudy, Sensitivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES = 0.42
"""The height of one layer."""


def draw(study: Sensitivity, path: Path) -> None:
    """Draw the change of accuracy by layer, a panel a technique, ranked, with intervals; nothing without any change."""
    panels = [(technique, layers) for technique in study.techniques if (layers := study.of(technique))]
    if not panels or not study.has_changes:
        return
    heights = [ROW_INCHES * len(layers) + 0.25 for _, layers in panels]
    labels = max(len(short(layer.layer)) for _, layers in panels for layer in layers)
    with figure_of(8.0, sum(heights) + 0.75 * len(panels) + 0.45) as figure:
        width, height = figure.get_size_inches()
        grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        figure.subplots_adjust(
            (0.3 + 0.075 * labels) / width, 0.5 / height, 1 - 0.15 / width, 1 - 0.65 / height, hspace=0.75
        )
        for axes, (technique, layers) in zip(grid, panels, strict=True):
            whole = next(row for row in study.run.rows if row.technique == technique)
            _panel(axes, str(study.key(technique)), layers, Change.of_row(whole, study.run), study.by)
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="upper center", ncols=len(names))
        write_atomically(path, svg(figure, f"Accuracy lost by {study.by} of {study.model}"))


def _panel(axes: Axes, title: str, layers: Sequence[LayerStudy], whole: Change | None, part: str) -> None:
    """Draw two bars a layer, the most sensitive on top, each with its value and interval."""
    series: list[tuple[str, float, int, list[Change | None]]] = [
        (f"only this {part}", -0.19, 0, [layer.only_change for layer in layers]),
        (f"all but this {part}", 0.19, 1, [layer.others_change for layer in layers]),
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
    axes.set_yticks(range(len(layers)), [short(layer.layer) for layer in layers], parse_math=False)
    axes.set_ylim(len(layers) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_title(title, loc="left", parse_math=False)
    axes.set_xlabel("Accuracy − fp32's (percentage points)")
