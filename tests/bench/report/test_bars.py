from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from bench.report.bars import Bar, histograms, ranked_bars
from bench.report.inspection import Histogram, LayerInspection

INSPECTION = LayerInspection(
    name="blocks.0.conv1",
    weights=6,
    values=np.array([-1.0, 1.0]),
    bits=1,
    sqnr_db=3.0,
    fitted_sqnr_db=4.0,
    before=Histogram(np.array([1, 2, 3]), np.array([0.0, 1.0, 2.0, 3.0])),
    after=Histogram.of(torch.tensor([-1.0, 1, 1, 1, 1, -1]), bins=4),
)
BARS = [Bar("fc1", 0.2), Bar("conv <b>", 1.5, 1.2, 1.8), Bar("fc2", -0.1, -0.3, 0.1)]


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def labels(svg: str) -> list[str]:
    return [text for text in texts(svg) if text in ("fc1", "fc2", "conv &lt;b&gt;")]


def test_the_largest_bar_is_on_top() -> None:
    assert labels(ranked_bars(BARS, "Sensitivity", "Accuracy lost (points)")) == ["conv &lt;b&gt;", "fc1", "fc2"]


def test_an_order_may_be_kept() -> None:
    assert labels(ranked_bars(BARS, "", "", ranked=False)) == ["fc1", "conv &lt;b&gt;", "fc2"]


def test_bars_are_labelled_with_their_values_and_the_axis_with_what_they_are() -> None:
    found = texts(ranked_bars(BARS, "", "Accuracy lost (points)", show="{:+.2f} pp".format))
    assert {"+1.50 pp", "-0.10 pp", "+0.20 pp", "Accuracy lost (points)"} <= set(found)


def test_groups_are_told_apart_by_a_legend() -> None:
    found = texts(ranked_bars([Bar("a", 1.0, group="alone"), Bar("a ", 2.0, group="all but it")], "", ""))
    assert {"alone", "all but it"} <= set(found)


def test_no_bars_are_refused() -> None:
    with pytest.raises(ValueError, match="no bars"):
        ranked_bars([], "", "")


def test_each_layer_is_drawn_before_and_after() -> None:
    svg = histograms([INSPECTION, INSPECTION])
    assert texts(svg).count("blocks.0.conv1: before") == 2
    assert texts(svg).count("after: 1 bit, 2 values") == 2
    assert svg == histograms([INSPECTION, INSPECTION])


def test_no_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="no layers"):
        histograms([])
