"""Values with what they range over, one row a label: latencies with their spread, speed-ups with their interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.report.drawing import (
    GREY,
    LABEL_POINTS,
    TICK_POINTS,
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

LINE_INCHES = 0.2
"""The height of one span."""


@dataclass(frozen=True)
class Span:
    """A value, and from where to where it ranges."""

    label: str
    """Of its row."""
    value: float
    low: float
    high: float
    inner: tuple[float, float] | None = None
    """A part of the range to be drawn thick."""
    family: str = ""
    """Spans of one family share colour and marker; by default each label has its own."""


@dataclass(frozen=True)
class Series:
    """Spans of one kind, such as those of one machine."""

    name: str
    """In the legend, which is drawn where there are several."""
    spans: Sequence[Span]


@dataclass(frozen=True)
class Panel:
    """What shares an axis."""

    title: str
    series: Sequence[Series]


def draw_spans(
    panels: Sequence[Panel],
    show: Callable[[float], str],
    title: str,
    reference: float | None = None,
    order: Sequence[str] = (),
) -> str:
    """Draw panels beside each other with the same rows, as SVG; a vertical line at ``reference``.

    ``show`` makes a value's label. With one series each row, or family of rows, has its look, which ``order`` keeps the
    same in every picture, whichever of them there are. Raises ``ValueError`` for nothing to draw and for values that
    are not positive: the axes are logarithmic.
    """
    spans = [span for panel in panels for series in panel.series for span in series.spans]
    labels = list(dict.fromkeys(span.label for span in spans))
    names = list(dict.fromkeys(series.name for panel in panels for series in panel.series))
    if not labels:
        raise ValueError("no values to draw")
    rows = LINE_INCHES * len(labels) * max(len(names), 1.3)
    legend = 0.3 if len(names) > 1 else 0.0
    shown = [short(label) for label in labels]
    longest = (max(width_of(label, TICK_POINTS) for label in shown) + 8) / 72
    with figure_of(1.3 + 3.9 * len(panels), rows + 0.75 + legend) as figure:
        every = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        width, height = figure.get_size_inches()
        figure.subplots_adjust(
            longest / width, 0.35 / height, 1 - 0.1 / width, 1 - (0.3 + legend) / height, wspace=0.06
        )
        every[0].set_yticks(range(len(labels)), shown, parse_math=False)
        every[0].set_ylim(len(labels) - 0.4, -0.6)  # the first on top
        look = looks(names if len(names) > 1 else [*order, *(span.family or span.label for span in spans)])
        for axes, panel in zip(every, panels, strict=True):
            axes.set_title(panel.title, loc="left", parse_math=False)
            axes.tick_params(axis="y", length=0)
            _panel(axes, panel, labels, names, look, show, reference)
        if legend:
            handles = [every[0].plot([], [], ls="", marker=look[n][1], color=look[n][0], label=n)[0] for n in names]
            place_legend(figure, handles, min(len(handles), 3))
        return svg(figure, title)


def _panel(
    axes: Axes,
    panel: Panel,
    labels: Sequence[str],
    names: Sequence[str],
    look: dict[str, tuple[str, str]],
    show: Callable[[float], str],
    reference: float | None,
) -> None:
    spans = [(series.name, span) for series in panel.series for span in series.spans]
    ends = [end for _, span in spans for end in (span.low, span.high)] + [span.value for _, span in spans]
    if reference is not None:
        ends.append(reference)
        axes.axvline(reference, color=GREY, linewidth=1, zorder=1)
    if any(not 0 < end < math.inf for end in ends):
        raise ValueError("a value that is not positive and finite has no place on a logarithmic axis")
    alone = len(names) == 1
    points = LABEL_POINTS + 1 if alone else LABEL_POINTS
    if ends:
        figures = max((width_of(show(span.value), points) for _, span in spans), default=0.0)
        left, right = 0.04, (figures + 8) / axes.bbox.width  # figures stand on the right
        whole = max(math.log(max(ends) / min(ends)), math.log(1.5)) / (1 - left - right)
        logarithmic(axes, min(ends) * math.exp(-left * whole), max(ends) * math.exp(right * whole), show)
    for name, span in spans:
        at = labels.index(span.label) + (names.index(name) - (len(names) - 1) / 2) * 0.8 / len(names)
        colour, marker = look[span.family or span.label if alone else name]
        axes.plot([span.low, span.high], [at, at], color=GREY, linewidth=1.2, zorder=2, solid_capstyle="butt")
        if span.inner:
            axes.plot(span.inner, [at, at], color=colour, linewidth=4, alpha=0.6, zorder=2, solid_capstyle="butt")
        axes.plot(span.value, at, ls="", marker=marker, color=colour, mec=GREY, mew=0.6, markersize=6, zorder=3)
        axes.annotate(
            show(span.value),
            (max(span.high, span.value), at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=points,
            parse_math=False,
        )
