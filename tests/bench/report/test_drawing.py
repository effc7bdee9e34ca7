from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bench.report.drawing import COLOURS, GREY, MARKERS, figure_of, logarithmic, looks, svg


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio by WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def drawn() -> str:
    with figure_of(4, 3) as figure:
        figure.subplots().plot([1, 2], [3, 4])
        return svg(figure, "A <line> & its title")


def ticks(low: float, high: float, show: Callable[[float], str] = "{:g}".format) -> list[str]:
    with figure_of(4, 3) as figure:
        axes = figure.subplots()
        logarithmic(axes, low, high, show)
        return [text.get_text() for text in axes.get_xticklabels()]


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117", "#000000"])
def test_the_grey_is_legible_on_any_page(ground: str) -> None:
    assert contrast(GREY, ground) > 4.3


def test_pictures_carry_no_date_no_background_and_nothing_from_elsewhere() -> None:
    picture = drawn()
    assert "dc:date" not in picture
    assert "#ffffff" not in picture.lower()
    assert "#000000" not in picture
    assert GREY in picture
    assert not re.findall(r'(?:src|href)="(?!#)', picture)


def test_a_picture_has_its_title_for_those_who_cannot_see_it() -> None:
    assert "<title>A &lt;line&gt; &amp; its title</title>" in drawn()


def test_the_same_figures_give_the_same_bytes() -> None:
    assert drawn() == drawn()


def test_names_differ_in_colour_and_marker() -> None:
    names = [str(number) for number in range(42)]
    assert len(set(looks(names).values())) == 42
    assert len(COLOURS) + 1 == len(MARKERS)


def test_a_name_that_comes_again_keeps_its_look() -> None:
    assert looks(["a", "b", "a"]) == looks(["a", "b"])


def test_ticks_suit_wide_and_narrow_axes() -> None:
    assert ticks(0.05, 2000) == ["0.1", "1", "10", "100", "1000"]
    assert ticks(0.8, 12) == ["1", "2", "5", "10"]
    assert len(ticks(0.97, 1.04)) >= 3


def test_a_label_that_would_reach_over_an_end_is_left_out() -> None:
    assert ticks(0.1, 1000) == ["1", "10", "100"]


def test_longer_labels_are_fewer() -> None:
    assert 1 <= len(ticks(0.05, 2000, "{:g} microseconds".format)) < len(ticks(0.05, 2000))
