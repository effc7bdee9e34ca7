"""How every picture looks: SVG that is legible on white and on black, and the same bytes for the same figures.

Text stays text, nothing lies behind it, and what is not data is of one grey (4.4 : 1 against white and against GitHub's
dark page), which a page that knows its background replaces by the colour of its text. Colours are Okabe and Ito's
(2008); each goes with a marker of its own, and markers have a grey edge.
"""

from __future__ import annotations

import itertools
import re
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
STYLE: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "figure.dpi": 72,  # a pixel is a point, as in the SVG
    "font.size": 10,
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
LABEL_POINTS = 8
"""The size of a point's label."""
_EXTRA = re.compile(r"<metadata>.*?</metadata>\s*|<!DOCTYPE.*?>\s*", re.DOTALL)
"""What matplotlib writes for cataloguers and validators."""
_FONTS = re.compile(r"font-family: [^;]*;")
_FAMILY = "font-family: 'DejaVu Sans', Verdana, sans-serif;"
"""The first is what matplotlib measures texts by, the second is as wide; its own list is ten times as long."""


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
    return _FONTS.sub(_FAMILY, _EXTRA.sub("", buffer.getvalue().decode()))


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each name, in the order they first appear."""
    pairs = zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False)
    return dict(zip(dict.fromkeys(names), pairs, strict=False))


def logarithmic(axes: Axes, low: float, high: float, show: Callable[[float], str], apart: float = 0.12) -> None:
    """Make the axis across logarithmic from ``low`` to ``high``, with some ticks however narrow that is.

    Neighbouring ticks are at least ``apart`` of its length from each other.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(low, high)
    least = (high / low) ** apart
    ticks: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = [step * 10.0**power for power in range(-12, 19) for step in steps]
        inside = [tick for tick in found if low <= tick <= high]
        if all(right >= least * left for left, right in itertools.pairwise(inside)):
            ticks = inside
    if len(ticks) < 3:
        ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([show(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
