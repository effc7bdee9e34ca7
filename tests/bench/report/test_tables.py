from __future__ import annotations

import pytest

from bench.report.tables import Figure, Table, read_from_left, table


def test_a_table_by_hand() -> None:
    assert table([["lab1", "1.630"], ["resnet8", "–"]], ["Model", "Size (MB)"]).splitlines() == [
        "| Model   |   Size (MB) |",
        "|:--------|------------:|",
        "| lab1    |       1.630 |",
        "| resnet8 |           – |",
    ]


@pytest.mark.parametrize(
    ("name", "cells", "left"),
    [
        ("Loop", ["bench", "pytest-benchmark"], True),
        ("Q", ["--", "D"], True),
        ("Verdict", ["", ""], True),
        ("Speed-up B64", ["2.84× [2.79, 2.90] faster", "1.00× [0.98, 1.02]"], True),
        ("By dtype", ["–", "int8 12"], True),
        ("Gain", ["none", "+3.1 %"], False),
        ("Loss", ["−0.49 points", "–"], False),
        ("Error", ["±5 %"], False),
        ("Memory", ["–", "–"], False),
        ("CPU", ["11th Gen Intel Core i7"], True),
    ],
)
def test_text_is_read_from_the_left_and_figures_from_the_right(name: str, cells: list[str], left: bool) -> None:
    assert read_from_left([[cell] for cell in cells], [name]) == [left]


def test_no_rows_make_no_table() -> None:
    assert table([], ["Model"]) == ""
    assert Table(["Model"], []).markdown() == ""


def test_what_a_cell_holds_stays_in_it() -> None:
    assert table([["one|two\nthree"]], ["Model"]).splitlines()[2] == r"| one\|two three |"


def test_a_figure_reads_as_its_text_and_knows_its_number() -> None:
    figure = Figure("1.63 MB", 1_630_429)
    assert (figure, figure.number) == ("1.63 MB", 1_630_429)
    assert table([[figure]], ["Size"]).splitlines()[2] == "| 1.63 MB |"


def test_title_caption_and_remarks_stand_around_a_table() -> None:
    text = Table(["Model"], [["lab1"]], "MNIST", "All of it.", ["`lab1` is small", "so is it"]).markdown()
    assert text.startswith("### MNIST\n\nAll of it.\n\n| Model ")
    assert text.endswith("|\n\n- `lab1` is small\n- so is it")
