from __future__ import annotations

import re

import pytest

from bench.report.drawing import COLOURS
from bench.report.spans import Panel, Series, Span, draw_spans

SPANS = [Span("fp16", 0.5, 0.4, 0.6), Span("int8 <b>", 3.0, 2.9, 3.1, inner=(2.95, 3.05))]


def show(value: float) -> str:
    return f"{value:g}×"


def drawn(*series: Series, reference: float | None = None) -> list[str]:
    svg = draw_spans([Panel("Batch 1", series), Panel("Batch 64", series)], show, "Speed-ups", reference)
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_rows_are_named_once_and_valued_in_each_panel() -> None:
    texts = drawn(Series("", SPANS))
    assert (texts.count("fp16"), texts.count("int8 &lt;b&gt;")) == (1, 1)
    assert (texts.count("Batch 1"), texts.count("Batch 64")) == (1, 1)
    assert texts.count("3×") >= 2


def test_several_series_are_told_apart_by_a_legend() -> None:
    texts = drawn(Series("here", SPANS), Series("there", SPANS[:1]))
    assert {"here", "there"} <= set(texts)
    assert texts.count("fp16") == 1


def test_a_row_looks_the_same_whichever_others_there_are() -> None:
    svg = draw_spans([Panel("", [Series("", SPANS[:1])])], show, "", order=["fp32", "fp16"])
    assert COLOURS[1].lower() in svg.lower()
    assert COLOURS[0].lower() not in svg.lower()


def test_the_reference_is_within_the_axis() -> None:
    assert "1×" in drawn(Series("", SPANS[1:]), reference=1.0)


def test_a_panel_may_be_empty_where_another_is_not() -> None:
    svg = draw_spans([Panel("Batch 1", [Series("", SPANS)]), Panel("Batch 64", [Series("", [])])], show, "")
    assert "Batch 64" in svg


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([], "no values to draw"),
        ([Span("a", 1.0, 0.0, 2.0)], "no place"),
        ([Span("a", 1.0, 1.0, float("nan"))], "no pl"),
    ],
)
def test_what_cannot_be_drawn_is_refused(spans: list[Span], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        drawn(Series("", spans))
