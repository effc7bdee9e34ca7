from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.trade_off import Cost, Point, pareto, trade_off

# Few different values, so that equals and ties are common.
few = st.integers(min_value=0, max_value=5).map(float)
costs_and_accuracies = st.lists(st.tuples(few, few), max_size=12)

SIZE, WORK = Cost("Size (MB)"), Cost("Work (M)", "{:.0f} M".format)
POINTS = [
    Point("fp32", 0.921, {"Size (MB)": 1.09, "Work (M)": 40.8}, "float"),
    Point("fp16", 0.921, {"Size (MB)": 0.545, "Work (M)": 20.4}, "float"),
    Point("w4a4", 0.915, {"Size (MB)": 0.154, "Work (M)": 5.7}, "dorefa"),
    Point("w2a2", 0.885, {"Size (MB)": 0.087, "Work (M)": 3.2}, "dorefa"),
    Point("w1a32 <b> $x$", 0.905, {"Size (MB)": 0.053, "Work (M)": 40.8}, "bwn"),
    Point("w1a1", 0.845, {"Size (MB)": 0.053, "Work (M)": 2.0}, "dorefa"),
]


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


# The picture


def test_every_point_is_labelled_in_both_panels() -> None:
    found = texts(trade_off(POINTS, [SIZE, WORK]))
    for point in POINTS:
        label = point.label.replace("<", "&lt;").replace(">", "&gt;")
        assert found.count(label) == 2
    assert {"Size (MB)", "Work (M)", "Accuracy (%)", "dorefa", "bwn", "float", "10 M"} <= set(found)


def test_every_panel_has_its_front() -> None:
    assert trade_off(POINTS, [SIZE, WORK]).count('<g id="front') == 2


def test_a_cost_that_no_point_has_gets_no_panel() -> None:
    svg = trade_off([Point("fp32", 0.9, {"Size (MB)": 1.0}), Point("w1", 0.8, {"Size (MB)": 0.05})], [SIZE, WORK])
    assert svg.count('<g id="front') == 1
    assert texts(svg).count("fp32") == 1


def test_a_point_of_unknown_cost_is_in_the_other_panels_alone() -> None:
    points = [Point("fp32", 0.9, {"Size (MB)": 1.0, "Work (M)": 40.0}), Point("mystery", 0.8, {"Size (MB)": 0.05})]
    found = texts(trade_off(points, [SIZE, WORK]))
    assert (found.count("fp32"), found.count("mystery")) == (2, 1)


@pytest.mark.parametrize("panels", range(1, 8))
def test_any_number_of_panels_finds_room(panels: int) -> None:
    costs = [Cost(f"cost {number}") for number in range(panels)]
    point = Point("fp32", 0.9, {cost.name: 1.0 for cost in costs})
    assert texts(trade_off([point], costs)).count("fp32") == panels


def test_the_legend_names_families_and_is_left_out_where_labels_do() -> None:
    single = [Point("fp32", 0.9, {"Size (MB)": 1.0}, "fp32"), Point("fp16", 0.8, {"Size (MB)": 0.5}, "fp16")]
    assert texts(trade_off(single, [SIZE])).count("fp32") == 1
    assert texts(trade_off(POINTS, [SIZE])).count("dorefa") == 1


def test_a_family_looks_the_same_whichever_others_there_are() -> None:
    alone = trade_off([Point("w1a1", 0.9, {"Size (MB)": 1.0}, "bwn")], [SIZE], families=["float", "dorefa", "bwn"])
    assert "#009e73" in alone.lower()
    assert "#d55e00" not in alone.lower()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "no points"),
        ([Point("nothing", 0.9, {})], "no points"),
        ([Point("nothing", 0.9, {"Size (MB)": 0.0})], "no place on a logarithmic axis"),
        ([Point("fp32", 0.9, {"Size (MB)": 1.0, "Work (M)": -1.0})], "no place on a logarithmic axis"),
        ([Point("fp32", 0.9, {"Size (MB)": math.inf})], "no place on a logarithmic axis"),
    ],
)
def test_what_cannot_be_drawn_is_refused(points: list[Point], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trade_off(points, [SIZE, WORK])
