"""The weights of layers before and after quantization, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.core.units import counted
from bench.report.drawing import COLOURS, figure_of, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.results.inspection import Histogram, LayerInspection


def histograms(inspections: Sequence[LayerInspection]) -> str:
    """Draw the weights of each layer before and after quantization, as SVG; raises ``ValueError`` for no layers."""
    if not inspections:
        raise ValueError("no layers to draw")
    with figure_of(8.0, 1.3 * len(inspections) + 0.5) as figure:
        grid = figure.subplots(len(inspections), 2, squeeze=False)
        width, height = figure.get_size_inches()
        figure.subplots_adjust(0.65 / width, 0.35 / height, 1 - 0.1 / width, 1 - 0.35 / height, 0.18, 0.75)
        for (left, right), layer in zip(grid, inspections, strict=True):
            after = f"after: {counted(layer.bits, 'bit')}, {counted(layer.distinct, 'value')}"
            _bars(left, layer.before, COLOURS[1], f"{layer.name}: before")
            _bars(right, layer.after, COLOURS[0], after)
        return svg(figure, "Weights of each layer before and after quantization")


def _bars(axes: Axes, histogram: Histogram, colour: str, title: str) -> None:
    axes.stairs(histogram.counts, histogram.edges, fill=True, color=colour)
    axes.set_title(title, loc="left", parse_math=False)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=3)
