from __future__ import annotations

import re

import pytest

from bench.report.histograms import histograms
from bench.results.inspection import Histogram, LayerInspection

INSPECTION = LayerInspection(
    name="blocks.0.conv1",
    weights=6,
    values=[-1.0, 1.0],
    bits=1,
    sqnr_db=3.0,
    fitted_sqnr_db=4.0,
    before=Histogram([1, 2, 3], [0.0, 1.0, 2.0, 3.0]),
    after=Histogram([2, 0, 0, 4], [-1.0, -0.5, 0.0, 0.5, 1.0]),
)


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_each_layer_is_drawn_before_and_after() -> None:
    svg = histograms([INSPECTION, INSPECTION])
    assert texts(svg).count("blocks.0.conv1: before") == 2
    assert texts(svg).count("after: 1 bit, 2 values") == 2
    assert svg == histograms([INSPECTION, INSPECTION])


def test_no_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="no layers"):
        histograms([])
