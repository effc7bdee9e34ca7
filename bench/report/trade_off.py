"""What accuracy costs: one panel a cost, and in each the Pareto front."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.report.drawing import (
    GREY,
    LABEL_POINTS,
    figure_of,
    logarithmic,
    looks,
    place_legend,
    short,
    svg,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_ROW = 3
"""Panels beside each other at most."""
MOST_LABELS = 200
"""Of points in a panel: no place is found for more."""


@dataclass(frozen=True)
class Cost:
    """An axis across."""

    name: str
    show: Callable[[float], str] = "{:g}".format
    """Makes a tick's label."""


@dataclass(frozen=True)
class Point:
    """A network in the trade-off."""

    label: str
    accuracy: float
    """A share."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """By the cost's name; where one is not known the point is missing in that panel."""
    family: str = ""
    """Points of one family share colour and marker; the legend names it."""
    interval: tuple[float, float] | None = None
    """Of the accuracy; a share."""


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


def trade_off(
    points: Sequence[Point],
    costs: Sequence[Cost],
    title: str = "Accuracy against cost",
    families: Sequence[str] = (),
) -> str:
    """Draw accuracy against each of ``costs`` that some point has, with its Pareto front, as SVG.

    ``families`` in their order get the same looks in every picture, whichever of them it shows. Raises
    ``ValueError`` for no points and for a cost that is not positive: the axes are logarithmic.
    """
    panels = [cost for cost in costs if any(cost.name in point.costs for point in points)]
    if not panels:
        raise ValueError("no points to draw")
    across = 2 if len(panels) == 4 else min(len(panels), PER_ROW)
    down = math.ceil(len(panels) / across)
    legend = any(point.family not in ("", point.label) for point in points)  # else the labels say it
    with figure_of({1: 5.6, 2: 9.6, 3: 10.4}[across], 3.7 * down + 0.4 * legend) as figure:
        every = figure.subplots(down, across, squeeze=False, sharey=True).flatten()
        width, height = figure.get_size_inches()
        figure.subplots_adjust(
            0.75 / width, 0.55 / height, 1 - 0.1 / width, 1 - (0.1 + 0.4 * legend) / height, 0.08, 0.22
        )
        every[0].set_ylim(*_accuracies(points))  # of all panels
        family = looks([*families, *(point.family for point in points)])
        for axes, cost in itertools.zip_longest(every, panels):
            if cost is None:
                axes.set_axis_off()
                continue
            _panel(axes, points, cost, family)
            axes.set_xlabel(cost.name)
        for axes in every[::across]:
            axes.set_ylabel("Accuracy (%)")
        if legend:
            shown = {point.family for point in points}
            named = [(name, look) for name, look in family.items() if name and name in shown]
            handles = [every[0].plot([], [], ls="", marker=m, color=c, label=n)[0] for n, (c, m) in named]
            place_legend(figure, handles, min(len(handles), 4 * across))
        return svg(figure, title)


def _accuracies(points: Sequence[Point]) -> tuple[float, float]:
    shares = [100 * share for point in points for share in (point.accuracy, *(point.interval or ()))]
    room = max(max(shares) - min(shares), 1.0)  # no microscope on what are a few answers
    return min(shares) - 0.08 * room, max(shares) + 0.1 * room


def _panel(axes: Axes, points: Sequence[Point], cost: Cost, family: dict[str, tuple[str, str]]) -> None:
    placed = [(point.costs[cost.name], 100 * point.accuracy, point) for point in points if cost.name in point.costs]
    if any(not 0 < at < math.inf for at, _, _ in placed):
        raise ValueError("a cost that is not positive and finite has no place on a logarithmic axis")
    ends = [at for at, _, _ in placed]
    logarithmic(axes, min(ends) / 1.6, max(ends) * 2.4, cost.show)  # labels stand on the right
    corners = [placed[index][:2] for index in pareto([(at, share) for at, share, _ in placed])]
    axes.plot(
        [at for at, _ in corners],
        [share for _, share in corners],
        color=GREY,
        linestyle="--",
        linewidth=1,
        drawstyle="steps-post",  # what is within reach of a budget, not what lies between two networks
        zorder=1,
        gid=f"front: {cost.name}",
    )
    for at, share, point in placed:
        colour, marker = family[point.family]
        if point.interval:
            ends_of = [100 * end for end in point.interval]
            axes.plot(
                [at, at],
                ends_of,
                color=colour,
                linewidth=1,
                alpha=0.4,
                solid_capstyle="butt",
                zorder=1.5,
                gid="interval",
            )
        axes.plot(at, share, ls="", marker=marker, color=colour, mec=GREY, mew=0.6, markersize=6.5, zorder=2)
    if len(placed) <= MOST_LABELS:
        _label(axes, placed, corners)


def _label(axes: Axes, placed: Sequence[tuple[float, float, Point]], corners: Sequence[tuple[float, float]]) -> None:
    """Put each label beside its point: within the panel, off the points, the front and earlier labels if possible."""
    spots = [tuple(axes.transData.transform((at, share))) for at, share, _ in placed]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in spots]
    for at, _, point in placed:
        if point.interval:
            (x, low), (_, high) = (axes.transData.transform((at, 100 * end)) for end in point.interval)
            taken.append((x - 1, low, x + 1, high))
    steps = [tuple(axes.transData.transform(corner)) for corner in corners]
    for (left, low), (right, high) in itertools.pairwise(steps):
        taken += [(left, low - 1, right, low + 1), (right - 1, low, right + 1, high)]
    panel = axes.bbox
    taken += [(-math.inf, panel.y0, panel.x0, panel.y1), (panel.x1, panel.y0, math.inf, panel.y1)]
    taken += [(-math.inf, -math.inf, math.inf, panel.y0), (-math.inf, panel.y1, math.inf, math.inf)]
    for (x, y), (at, share, point) in zip(spots, placed, strict=True):
        label = short(point.label)
        wide = width_of(label, LABEL_POINTS)
        inside = min(max(-wide / 2, panel.x0 - x), panel.x1 - wide - x)  # around the point, as far as that fits
        offsets = [
            (dx, dy)
            for dy in (3, -9, -3, 10, -16, 17, -23, 24, -30, 31, -37, 38, -44, 45, -51, 52)
            for dx in ((5.0, -5.0 - wide) if abs(dy) < 9 else (5.0, -5.0 - wide, inside))
        ]
        boxes = [(x + dx, y + dy, x + dx + wide, y + dy + LABEL_POINTS) for dx, dy in offsets]
        best = min(range(len(boxes)), key=lambda index: (sum(_overlap(boxes[index], box) for box in taken), index))
        left, low, right, high = boxes[best]
        taken.append((left - 2, low, right + 2, high))  # words side by side need a gap
        axes.annotate(
            label,
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
