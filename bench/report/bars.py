"""Bars: what is ranked, and the weights of layers before and after quantization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.core.units import counted
from bench.report.drawing import COLOURS, GREY, LABEL_POINTS, figure_of, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.report.inspection import Histogram, LayerInspection

BAR_INCHES = 0.24


@dataclass(frozen=True)
class Bar:
    """A value to be ranked."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    """The ends of its interval, if it has one."""
    group: str = ""
    """Bars of one group share a colour; the legend names it."""


def ranked_bars(
    bars: Sequence[Bar], title: str, axis: str, show: Callable[[float], str] = "{:g}".format, ranked: bool = True
) -> str:
    """Draw horizontal bars from zero, the largest value on top, as SVG; raises ``ValueError`` for none.

    ``axis`` says what the values are and in which unit, ``show`` makes the figure at a bar's end; ``ranked=False``
    keeps the order.
    """
    if not bars:
        raise ValueError("no bars to draw")
    placed = sorted(bars, key=lambda bar: -bar.value) if ranked else list(bars)
    groups = list(dict.fromkeys(bar.group for bar in placed))
    colour = {group: COLOURS[(5 + index) % len(COLOURS)] for index, group in enumerate(groups)}
    legend = 0.3 if len(groups) > 1 else 0.0
    with figure_of(8.0, BAR_INCHES * len(placed) + 0.6 + legend) as figure:
        axes = figure.subplots()
        width, height = figure.get_size_inches()
        longest = min(0.08 * max(len(bar.label) for bar in placed) + 0.15, 3.5)
        figure.subplots_adjust(longest / width, 0.5 / height, 1 - 0.1 / width, 1 - (0.1 + legend) / height)
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=GREY, linewidth=1)
        for at, bar in enumerate(placed):
            axes.barh(at, bar.value, height=0.65, color=colour[bar.group], edgecolor=GREY, linewidth=0.6)
            end = bar.value
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [at, at], color=GREY, linewidth=1.5, solid_capstyle="butt")
                end = max(end, bar.high) if bar.value >= 0 else min(end, bar.low)
            axes.annotate(
                show(bar.value),
                (end, at),
                xytext=(5 if bar.value >= 0 else -5, 0),
                textcoords="offset points",
                va="center",
                ha="left" if bar.value >= 0 else "right",
                fontsize=LABEL_POINTS + 1,
                parse_math=False,
            )
        axes.margins(x=0.12, y=0.02)
        axes.set_yticks(range(len(placed)), [bar.label for bar in placed], parse_math=False)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(axis, parse_math=False)
        if legend:
            handles = [axes.barh([0], [0], color=colour[group], label=group) for group in groups]
            figure.legend(handles=handles, loc="upper center", ncols=min(len(groups), 4))
        return svg(figure, title)


def histograms(inspections: Sequence[LayerInspection]) -> str:
    """Draw the weights of each layer before and after quantization, as SVG; raises ``ValueError`` for no layers."""
    if not inspections:
        raise ValueError("no layers to draw")
    with figure_of(8.0, 1.3 * len(inspections) + 0.5) as figure:
        grid = figure.subplots(len(inspections), 2, squeeze=False)
        width, height = figure.get_size_inches()
        figure.subplots_adjust(0.65 / width, 0.35 / height, 1 - 0.1 / width, 1 - 0.35 / height, 0.18, 0.75)
        for (left, right), each in zip(grid, inspections, strict=True):
            _bars(left, each.before, COLOURS[1], f"{each.name}: before")
            _bars(
                right, each.after, COLOURS[0], f"after: {counted(each.bits, 'bit')}, {counted(each.distinct, 'value')}"
            )
        return svg(figure, "Weights of each layer before and after quantization")


def _bars(axes: Axes, histogram: Histogram, colour: str, title: str) -> None:
    axes.stairs(histogram.counts, histogram.edges, fill=True, color=colour)
    axes.set_title(title, loc="left", parse_math=False)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=3)
