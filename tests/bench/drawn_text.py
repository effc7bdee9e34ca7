"""Where the texts of an SVG of ours stand."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from bench.report.drawing import width_of

TEXT = re.compile(r'<text style="([^"]*)"([^>]*)>([^<]*)</text>')


@dataclass(frozen=True)
class Box:
    """A text and the points that it takes."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        """Say whether two texts cover a common place."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > 0.5 and down > 0.5


def size_of(svg: str) -> tuple[float, float]:
    """Return width and height of the picture."""
    [(width, height)] = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    return float(width), float(height)


def boxes(svg: str) -> list[Box]:
    """Return the box of each text; of a font's size some 0.75 are above the line and 0.2 below."""
    return [_box(*found) for found in TEXT.findall(svg)]


def _box(style: str, attributes: str, text: str) -> Box:
    points = float(re.findall(r"font-size: ([\d.]+)px|font: ([\d.]+)px", style)[0][0])
    wide = width_of(html.unescape(text), points)
    x, y = (float(part) for part in re.findall(r"(?:rotate\(\S+|translate\() ?([-\d.]+) ([-\d.]+)\)", attributes)[0])
    before = {"middle": wide / 2, "end": wide}.get("".join(re.findall(r"text-anchor: (\w+)", style)), 0.0)
    if "rotate(-90" in attributes:
        return Box(text, x - 0.75 * points, y + before - wide, x + 0.2 * points, y + before)
    return Box(text, x - before, y - 0.75 * points, x - before + wide, y + 0.2 * points)
