"""How every picture looks: SVG that is legible on white and on black, and the same bytes for the same figures.

Text stays text, nothing lies behind it, and what is not data is of one grey (4.4 : 1 against white and against GitHub's
dark page). Colours are Okabe and Ito's (2008); each goes with a marker of its own, and markers have a grey edge.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#797979"
COLOURS = ("#D55E00", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#0072B2")
"""Okabe and Ito's without black and yellow, which vanish on one of the two backgrounds."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One more than colours, so that pairs repeat late."""
TICK_POINTS = 10
"""The size of an axis's text."""
LABEL_POINTS = 8
"""The size of a point's label."""
SUBDIVISIONS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
"""Of a power of ten, by ticks; the first that makes ``ENOUGH_TICKS`` is taken."""
ENOUGH_TICKS = 4
STYLE: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": TICK_POINTS,
    "figure.dpi": 72,  # a pixel is a point, as in the SVG
    "font.sans-serif": ["DejaVu Sans", "Verdana"],  # texts are measured by the first; the second is as wide
    "font.size": TICK_POINTS,
    "grid.alpha": 0.2,
    "grid.color": GREY,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "svg.fonttype": "none",
    "svg.hashsalt": "quantbench",
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


@contextmanager
def figure_of(width_inches: float, height_inches: float) -> Iterator[Figure]:
    """Give a figure in our style, whatever the user's matplotlibrc says; no window and no global figure is made."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        yield Figure(figsize=(width_inches, height_inches))


def svg(figure: Figure, title: str) -> str:
    """Return the picture, with its title for those who cannot see it; within ``figure_of``, whose style decides how."""
    buffer = BytesIO()
    metadata = {"Title": title, "Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    return buffer.getvalue().decode()


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each name, in the order they first appear."""
    pairs = zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False)
    return dict(zip(dict.fromkeys(names), pairs, strict=False))


def width_of(text: str, points: float) -> float:
    """Return how wide a text is, in points, in the font that the pictures name."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=points), ismath=False)[0])


def logarithmic(axes: Axes, low: float, high: float, show: Callable[[float], str]) -> None:
    """Make the axis across logarithmic from ``low`` to ``high``, with as many round ticks as have room.

    Their labels keep their distance, and none reaches over an end: another panel's may begin there.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, LogLocator, MaxNLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(low, high)
    width = axes.bbox.width  # a pixel is a point

    def ends(tick: float) -> tuple[float, float]:
        middle, half = width * math.log(tick / low) / math.log(high / low), width_of(show(tick), TICK_POINTS) / 2
        return middle - half, middle + half

    def labelled(ticks: Sequence[float]) -> list[float]:
        """Return the ticks whose labels are inside; none if two of them are too near to each other."""
        inside = [float(tick) for tick in ticks if tick > 0 and ends(tick)[0] >= 0 and ends(tick)[1] <= width]
        near = any(ends(one)[1] + TICK_POINTS > ends(other)[0] for one, other in itertools.pairwise(inside))
        return [] if near else inside

    sparse = [*(LogLocator(numticks=count) for count in (4, 3, 2)), *(MaxNLocator(count) for count in (4, 3, 2))]
    for locators in ([LogLocator(subs=subs) for subs in SUBDIVISIONS], sparse):
        choices = [labelled(locator.tick_values(low, high)) for locator in locators]
        ticks = max(choices, key=lambda choice: min(len(choice), ENOUGH_TICKS))
        if len(ticks) > 1:
            break
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([show(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
