from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.lowbit.inspection import Histogram, LayerInspection
from bench.report.pictures import COLOURS, GREY, MARKERS, Point, histograms, pareto, trade_off
from tests.bench.test_import_cost import modules_after

# Few different values, so that equals and ties are common.
few = st.integers(min_value=0, max_value=5).map(float)
costs_and_accuracies = st.lists(st.tuples(few, few), max_size=12)

POINTS = [
    Point("fp32", 0.921, 1_090_000, 40.8e6, "float"),
    Point("fp16", 0.921, 545_000, 20.4e6, "float"),
    Point("w4a4", 0.915, 154_000, 5.7e6, "dorefa"),
    Point("w2a2", 0.885, 87_000, 3.2e6, "dorefa"),
    Point("w1a32 <b> $x$", 0.905, 53_000, 40.8e6, "bwn"),
    Point("w1a1", 0.845, 53_000, 2.0e6, "dorefa"),
]
INSPECTION = LayerInspection(
    name="blocks.0.conv1",
    weights=6,
    distinct=2,
    bits=1,
    sqnr_db=3.0,
    fitted_sqnr_db=4.0,
    before=Histogram(np.array([1, 2, 3]), np.array([0.0, 1.0, 2.0, 3.0])),
    after=Histogram.of(torch.tensor([-1.0, 1, 1, 1, 1, -1]), bins=4),
)


def drawn(path: Path, points: list[Point] = POINTS) -> str:
    trade_off(points, path / "trade-off.svg")
    return (path / "trade-off.svg").read_text(encoding="utf-8")


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


# The Pareto front


def test_a_front_by_hand() -> None:
    #          on it       dominated   on it       dominated   on it
    points = [(1.0, 0.80), (2.0, 0.75), (3.0, 0.90), (3.0, 0.85), (9.0, 0.92)]
    assert pareto(points) == [0, 2, 4]


def test_of_equals_none_dominates() -> None:
    assert pareto([(1.0, 0.9), (1.0, 0.9), (2.0, 0.9)]) == [0, 1]


@given(costs_and_accuracies)
def test_the_front_is_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    def dominated(index: int) -> bool:
        cost, accuracy = points[index]
        return any(other != points[index] and other[0] <= cost and other[1] >= accuracy for other in points)

    assert sorted(pareto(points)) == [index for index in range(len(points)) if not dominated(index)]


@given(costs_and_accuracies)
def test_along_the_front_cost_and_accuracy_rise(points: list[tuple[float, float]]) -> None:
    front = [points[index] for index in pareto(points)]
    assert front == sorted(front)
    assert [accuracy for _, accuracy in front] == sorted(accuracy for _, accuracy in front)


@given(costs_and_accuracies)
def test_the_cheapest_and_the_most_accurate_cost_and_accuracy_are_on_it(points: list[tuple[float, float]]) -> None:
    front = [points[index] for index in pareto(points)]
    assert min((cost for cost, _ in points), default=None) == min((cost for cost, _ in front), default=None)
    assert max((share for _, share in points), default=None) == max((share for _, share in front), default=None)


@given(costs_and_accuracies, st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(points: list[tuple[float, float]], random: object) -> None:
    shuffled = list(points)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert [points[index] for index in pareto(points)] == [shuffled[index] for index in pareto(shuffled)]


@given(costs_and_accuracies)
def test_the_front_of_a_front_is_itself(points: list[tuple[float, float]]) -> None:
    front = [points[index] for index in pareto(points)]
    assert pareto(front) == list(range(len(front)))


def test_a_nan_has_no_place() -> None:
    with pytest.raises(ValueError, match="NaN"):
        pareto([(1.0, math.nan)])


# The trade-off


def test_every_point_is_labelled_in_both_panels(tmp_path: Path) -> None:
    found = texts(drawn(tmp_path))
    for point in POINTS:
        label = point.label.replace("<", "&lt;").replace(">", "&gt;")
        assert found.count(label) == 2
    assert {"Size (MB)", "Multiply-accumulates × bits / 32 (M)", "Accuracy (%)", "dorefa", "bwn", "float"} <= set(found)


def test_every_panel_has_its_front(tmp_path: Path) -> None:
    assert drawn(tmp_path).count('<g id="front') == 2


def test_without_operations_there_is_one_panel(tmp_path: Path) -> None:
    svg = drawn(tmp_path, [Point("fp32", 0.9, 1e6), Point("w1", 0.8, 5e4)])
    assert svg.count('<g id="front') == 1
    assert texts(svg).count("fp32") == 1


def test_a_point_of_unknown_operations_is_in_the_first_panel_alone(tmp_path: Path) -> None:
    found = texts(drawn(tmp_path, [Point("fp32", 0.9, 1e6, 4e7), Point("mystery", 0.8, 5e4)]))
    assert (found.count("fp32"), found.count("mystery")) == (2, 1)


def test_one_point_can_be_drawn(tmp_path: Path) -> None:
    assert "fp32" in texts(drawn(tmp_path, POINTS[:1]))


def test_the_same_points_give_the_same_bytes(tmp_path: Path) -> None:
    assert drawn(tmp_path) == drawn(tmp_path)


def test_pictures_carry_no_date_and_no_background(tmp_path: Path) -> None:
    svg = drawn(tmp_path)
    assert "dc:date" not in svg
    assert "ffffff" not in svg.lower()
    assert GREY in svg
    assert "#000000" not in svg


def test_families_differ_in_colour_and_marker() -> None:
    pairs = {(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]) for index in range(42)}
    assert len(pairs) == 42


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "no points"),
        ([Point("nothing", 0.9, 0.0)], "no place on a logarithmic axis"),
        ([Point("fp32", 0.9, 1e6, -1.0)], "no place on a logarithmic axis"),
    ],
)
def test_what_cannot_be_drawn_is_refused(points: list[Point], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        trade_off(points, tmp_path / "trade-off.svg")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error_of_the_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        trade_off(POINTS, tmp_path / "file" / "trade-off.svg")


# Histograms


def test_each_layer_is_drawn_before_and_after(tmp_path: Path) -> None:
    histograms([INSPECTION, INSPECTION], tmp_path / "weights.svg")
    svg = (tmp_path / "weights.svg").read_text(encoding="utf-8")
    assert texts(svg).count("blocks.0.conv1: before") == 2
    assert texts(svg).count("after: 1 bit, 2 values") == 2
    histograms([INSPECTION, INSPECTION], tmp_path / "again.svg")
    assert svg == (tmp_path / "again.svg").read_text(encoding="utf-8")


def test_no_layers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no layers"):
        histograms([], tmp_path / "weights.svg")


def test_nothing_is_imported_until_something_is_drawn() -> None:
    assert not {"matplotlib", "torch", "numpy"} & modules_after("import bench.report.pictures")
