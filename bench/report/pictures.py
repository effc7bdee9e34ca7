"""Pictures as SVG: what accuracy costs, and what quantization makes of weights.

The same figures give the same bytes. Text stays text, nothing lies behind it, and axes are of a grey that is legible on
white and on black; colours are Okabe and Ito's (2008), and every family of points has a marker of its own too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.result import write_atomically
from bench.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bench.lowbit.inspection import Histogram, LayerInspection
    from bench.result import Run

GREY = "#7f7f7f"
COLOURS = ("#D55E00", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#0072B2")
"""Okabe and Ito's without black and yellow, which vanish on one of the two backgrounds."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One more than colours, so that pairs repeat late."""
STYLE: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 9,
    "figure.dpi": 72,  # a pixel is a point, as in the SVG
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": GREY,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "svg.fonttype": "none",
    "svg.hashsalt": "quantbench",
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}
LABEL_POINTS = 7
"""The size of a point's label."""


@dataclass(frozen=True)
class Point:
    """A network in the trade-off."""

    label: str
    accuracy: float
    """A share."""
    size_bytes: float
    operations: float | None = None
    """``None`` where they are not known: it is missing in that panel."""
    family: str = ""
    """Points of one family share colour and marker; the legend names it."""


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the positions of the ``(cost, accuracy)`` that no other dominates, the cheapest first.

    One dominates another if it costs no more and is no less accurate, and differs; of equals none does. Raises
    ``ValueError`` for a NaN, which has no place in an order.
    """
    if any(math.isnan(value) for point in points for value in point):
        raise ValueError("a NaN dominates nothing and is dominated by nothing")
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1], index)):
        best = points[front[-1]] if front else None
        if best is None or points[index][1] > best[1] or points[index] == best:
            front.append(index)
    return front


def trade_off(points: Sequence[Point], path: Path, operations: str = "Multiply-accumulates × bits / 32") -> None:
    """Draw accuracy against size, and against operations where any are known, each with its Pareto front.

    ``operations`` says what they are. Raises ``ValueError`` for no points and for a size, or operations, that are not
    positive: the axes are logarithmic.
    """
    if not points:
        raise ValueError("no points to draw")
    panels: list[tuple[str, Callable[[Point], float | None]]] = [("Size (MB)", lambda point: point.size_bytes / 1e6)]
    if any(point.operations is not None for point in points):
        panels.append((f"{operations} (M)", lambda point: None if point.operations is None else point.operations / 1e6))
    with _figure(5.0 * len(panels), 4.4) as figure:
        every = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        width, height = figure.get_size_inches()
        figure.subplots_adjust(0.65 / width, 0.55 / height, 1 - 0.1 / width, 1 - 0.4 / height, wspace=0.08)
        looks = _looks(points)
        shares = [100 * point.accuracy for point in points]
        room = max(max(shares) - min(shares), 1.0)
        every[0].set_ylim(min(shares) - 0.08 * room, max(shares) + 0.1 * room)  # of all panels
        for axes, (name, cost) in zip(every, panels, strict=True):
            _panel(axes, points, cost, looks)
            axes.set_xlabel(name)
        every[0].set_ylabel("Accuracy (%)")
        handles = [every[0].plot([], [], ls="", marker=m, color=c, label=f)[0] for f, (c, m) in looks.items() if f]
        if handles:
            figure.legend(handles=handles, loc="upper center", ncols=min(len(handles), 4 * len(panels)))
        _save(figure, path)


def trade_offs(run: Run) -> dict[str, str]:
    """Return the file name of each model's picture, by ``task/model``, where a low-bit technique is among its rows."""
    models = dict.fromkeys(f"{row.task}/{row.model}" for row in run.rows if row.simulated)
    return {model: f"trade-off-{model.replace('/', '-')}.svg" for model in models}


def draw_trade_offs(run: Run, folder: Path) -> None:
    """Draw the pictures of ``trade_offs`` into ``folder``."""
    for model, name in trade_offs(run).items():
        points = [
            Point(
                label=row.technique,
                accuracy=row.accuracy.correct / row.accuracy.total,
                size_bytes=row.packed_bytes,
                operations=row.bit_operations,
                family=row.technique.partition(":")[0],
            )
            for row in run.rows
            if f"{row.task}/{row.model}" == model and row.accuracy is not None and row.packed_bytes is not None
        ]
        if points:
            trade_off(points, folder / name)


def histograms(inspections: Sequence[LayerInspection], path: Path) -> None:
    """Draw the weights of each layer before and after quantization; raises ``ValueError`` for no layers."""
    if not inspections:
        raise ValueError("no layers to draw")
    with _figure(8.0, 1.3 * len(inspections) + 0.5) as figure:
        grid = figure.subplots(len(inspections), 2, squeeze=False)
        width, height = figure.get_size_inches()
        figure.subplots_adjust(0.65 / width, 0.35 / height, 1 - 0.1 / width, 1 - 0.35 / height, 0.18, 0.75)
        for (left, right), each in zip(grid, inspections, strict=True):
            _bars(left, each.before, COLOURS[1], f"{each.name}: before")
            _bars(
                right, each.after, COLOURS[0], f"after: {counted(each.bits, 'bit')}, {counted(each.distinct, 'value')}"
            )
        _save(figure, path)


def _bars(axes: Axes, histogram: Histogram, colour: str, title: str) -> None:
    axes.stairs(histogram.counts, histogram.edges, fill=True, color=colour)
    axes.set_title(title, loc="left", parse_math=False)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=3)


def _panel(
    axes: Axes, points: Sequence[Point], cost: Callable[[Point], float | None], looks: dict[str, tuple[str, str]]
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    placed = [(float(at), 100 * point.accuracy, point) for point in points if (at := cost(point)) is not None]
    if any(not 0 < at < math.inf for at, _, _ in placed):
        raise ValueError("a size or operations that are not positive and finite have no place on a logarithmic axis")
    across = [at for at, _, _ in placed]
    axes.set_xscale("log")
    axes.set_xlim(min(across) / 1.6, max(across) * 2.4)  # labels stand on the right
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    front = [placed[index] for index in pareto([(at, share) for at, share, _ in placed])]
    corners = [(at, share) for at, share, _ in front]
    axes.plot(
        [at for at, _ in corners],
        [share for _, share in corners],
        color=GREY,
        linestyle="--",
        linewidth=1,
        drawstyle="steps-post",  # what is within reach of a budget, not what lies between two networks
        zorder=1,
        gid="front",
    )
    for at, share, point in placed:
        colour, marker = looks[point.family]
        axes.plot(at, share, linestyle="", marker=marker, color=colour, markersize=6, zorder=2)
    _label(axes, placed, corners)


def _label(axes: Axes, placed: Sequence[tuple[float, float, Point]], corners: Sequence[tuple[float, float]]) -> None:
    """Put each label beside its point: within the panel, off the points, the front and earlier labels if possible."""
    spots = [tuple(axes.transData.transform((at, share))) for at, share, _ in placed]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in spots]
    steps = [tuple(axes.transData.transform(corner)) for corner in corners]
    for (left, low), (right, high) in itertools.pairwise(steps):
        taken += [(left, low - 1, right, low + 1), (right - 1, low, right + 1, high)]
    panel = axes.bbox
    taken += [(-math.inf, panel.y0, panel.x0, panel.y1), (panel.x1, panel.y0, math.inf, panel.y1)]
    for (x, y), (at, share, point) in zip(spots, placed, strict=True):
        wide = 0.6 * LABEL_POINTS * len(point.label)
        offsets = [(dx, dy) for dy in (3, -9, -3, 10, -16, 17) for dx in (5.0, -5.0 - wide)]
        boxes = [(x + dx, y + dy, x + dx + wide, y + dy + LABEL_POINTS) for dx, dy in offsets]
        best = min(range(len(boxes)), key=lambda index: (sum(_overlap(boxes[index], box) for box in taken), index))
        taken.append(boxes[best])
        axes.annotate(
            point.label,
            (at, share),
            xytext=offsets[best],
            textcoords="offset points",
            fontsize=LABEL_POINTS,
            parse_math=False,
        )


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(up, 0.0)


def _looks(points: Sequence[Point]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each family, in the order they appear."""
    families = dict.fromkeys(point.family for point in points)
    return dict(zip(families, zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False), strict=False))


@contextmanager
def _figure(width_inches: float, height_inches: float) -> Iterator[Figure]:
    """Give a figure in our style, whatever the user's matplotlibrc says; no window and no global figure is made."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        yield Figure(figsize=(width_inches, height_inches))


def _save(figure: Figure, path: Path) -> None:
    """Write the picture atomically; within ``_figure``, whose style decides how."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    write_atomically(path, buffer.getvalue().decode())
