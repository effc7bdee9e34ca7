"""The page's colours of verdicts can be read on both of its grounds, light and dark, and are never all that is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report import page
from bench.results.verdict import cell
from tests.bench.examples import RUN

STYLE = (Path(page.__file__).parent / "page.css").read_text(encoding="utf-8")
LEAST_CONTRAST = 4.5
"""Of text (WCAG 2.2, success criterion 1.4.3)."""


def schemes() -> list[dict[str, str]]:
    """Return the colours by name, of the light page and of the dark one."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", colours)) for colours in (light, dark)]


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_has_the_contrast_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("colours", schemes(), ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "raised"])
@pytest.mark.parametrize("text", ["good", "bad"])
def test_a_verdict_can_be_read(colours: dict[str, str], ground: str, text: str) -> None:
    assert contrast(colours[text], colours[ground]) >= LEAST_CONTRAST


def test_what_has_a_colour_has_its_word() -> None:
    coloured = re.findall(r'<td class="(faster|slower|better|worse)"[^>]*>([^<]*)</td>', page.render([RUN]))
    assert {word for word, _ in coloured} >= {"faster", "slower"}
    assert all(text.endswith(cell(word)) for word, text in coloured)
