"""How every picture looks: SVG that is legible on white and on black, and the same bytes for the same figures.

Text stays text, nothing lies behind it, and what is not data is of one grey (4.4 : 1 against white and against GitHub's
dark page), which a page that knows its background replaces by the colour of its text. Colours are Okabe and Ito's
(2008); each goes with a marker of its own, and markers have a grey edge.
"""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
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
LONGEST_LABEL = 60
"""Characters."""
SPACING = 0.12
"""Of the axis, between two ticks at least."""
NARROW_INCHES = 3.25
"""As wide as a phone can show with text that is legible there: bench.report.page draws a point as 1.4 pixels."""
STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Of ticks, within a power of ten."""
STYLE: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": TICK_POINTS,
    "figure.dpi": 72,  # a pixel is a point, as in the SVG
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

    with style.context(["default", STYLE]), _any_script():
        yield Figure(figsize=(width_inches, height_inches))


@contextmanager
def _any_script() -> Iterator[None]:
    """Keep matplotlib from warning of characters that its font lacks: the viewer's fonts show them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font|Matplotlib currently does not support")
        yield


def short(label: str) -> str:
    """Return a name as it stands in a picture: a long one would leave no room for what is drawn."""
    return label if len(label) <= LONGEST_LABEL else f"{label[:LONGEST_LABEL]}…"


def place_legend(figure: Figure, handles: Sequence[Any], columns: int) -> None:
    """Name the looks on top of the picture; a dollar sign in a name begins no formula."""
    for text in figure.legend(handles=handles, loc="upper center", ncols=columns).get_texts():
        text.set_parse_math(False)


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


def width_of(text: str, points: float) -> float:
    """Return how wide a text is, in points, in the font that the pictures name."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    with _any_script():
        return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=points), ismath=False)[0])


def logarithmic(axes: Axes, low: float, high: float, show: Callable[[float], str]) -> None:
    """Make the axis across logarithmic from ``low`` to ``high``, with as many round ticks as have room.

    Their labels keep their distance, and none reaches over an end: another panel's may begin there.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(low, high)
    width = axes.bbox.width  # a pixel is a point

    def ends(tick: float) -> tuple[float, float]:
        middle, half = width * math.log(tick / low) / math.log(high / low), width_of(show(tick), TICK_POINTS) / 2
        return middle - half, middle + half

    def apart(one: float, other: float) -> bool:
        (_, before), (after, _) = sorted((ends(one), ends(other)))
        return before + TICK_POINTS <= after and abs(math.log(one / other)) >= SPACING * math.log(high / low)

    def inside(ticks: Iterable[float]) -> list[float]:
        return [tick for tick in ticks if tick > 0 and ends(tick)[0] >= 0 and ends(tick)[1] <= width]

    def thinned(ticks: Iterable[float]) -> list[float]:
        """Return those that have room beside those named before them."""
        kept: list[float] = []
        for tick in inside(ticks):
            if all(apart(tick, other) for other in kept):
                kept.append(tick)
        return sorted(kept)

    def whole(ticks: Sequence[float]) -> list[float]:
        return found if len(found := thinned(ticks)) == len(inside(ticks)) else []

    near = [10.0**power for power in range(-12, 19) if low / 10 <= 10.0**power <= high]
    ticks = max((whole([step * power for step in steps for power in near]) for steps in STEPS), key=len)
    if len(ticks) < 3:
        ticks = max(ticks, thinned(step * power for step in (1, 5, 2) for power in near), key=len)
    if len(ticks) < 2:
        ticks = max(ticks, *(whole(MaxNLocator(count).tick_values(low, high)) for count in (2, 3, 4)), key=len)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([show(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
