"""An inspection in markdown: the golden page, and how a layer's values are put."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from bench.report.inspection import levels, render
from bench.results.inspection import Histogram, Inspection, LayerInspection, OutputStatistics
from tests.bench.test_import_cost import modules_after

GOLDEN = Path(__file__).with_name("golden_inspection.md")
COUNTS = Histogram([2, 4], [-1.0, 0.0, 1.0])


def layer(name: str, values: list[float], sqnr_db: float = 12.34) -> LayerInspection:
    return LayerInspection(name, 1200, values, 2, sqnr_db, math.inf, COUNTS, COUNTS)


INSPECTION = Inspection(
    layers=[layer("layers.0", [-1.0, -1 / 3, 1 / 3, 1.0]), layer("layers.2", [-1.0, 1.0], -math.inf)],
    described=["layers.0"],
    outputs=[OutputStatistics("layers.0", (4, 512), -1.25, 0.1, 0.5, 2.0, 1234)],
    activations=[OutputStatistics("layers.0", (4, 784), 0.0, 0.1, 0.25, 1.0, 4)],
    scores={"course-2025": 0.12345, "course-profile, cifar10": 1.5},
)


def test_the_page_is_the_golden_one() -> None:
    """After an intended change: write ``render(INSPECTION)`` to the golden file and read the difference."""
    assert render(INSPECTION) + "\n" == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "figures"),
    [
        ([-1.0, 1.0], "2 different weights: -1, 1."),
        ([number / 4 for number in range(20)], "20 different weights: 0 to 4.75 in steps of 0.25."),
        ([number**2 / 4 for number in range(20)], "20 different weights: 0, 0.25, 1, …, 90.25."),
    ],
)
def test_few_values_are_listed_and_many_summed_up(values: list[float], figures: str) -> None:
    assert levels(layer("fc", values)).endswith(figures)


def test_nothing_found_is_nothing_said() -> None:
    assert render(Inspection([], [], [], {})) == ""


def test_the_page_needs_no_torch() -> None:
    assert not {"torch", "numpy"} & modules_after("import bench.report.inspection")


def test_learned_clips_have_a_column_where_there_are_any() -> None:
    clipping = dataclasses.replace(layer("layers.2", [-1.0, 1.0]), clip=7.25)
    header, _, *rows = render(Inspection([INSPECTION.layers[0], clipping], [], [], {})).splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert "α" in header
    assert [row[-1] for row in cells] == ["–", "7.25"]
    assert "α" not in render(INSPECTION)
