from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tabulate import tabulate

from bench.report.tables import Figure, Table, table

cells = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="|"), max_size=12)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_table_is_what_tabulate_makes_of_it(rows: list[list[str]]) -> None:
    header = ["Model", "Size (MB)", "Verdict"]
    align = ["left", "right", "left"]
    assert table(rows, header) == tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)


def test_a_table_by_hand() -> None:
    assert table([["lab1", "1.630"], ["resnet8", "–"]], ["Model", "Size (MB)"]).splitlines() == [
        "| Model   |   Size (MB) |",
        "|:--------|------------:|",
        "| lab1    |       1.630 |",
        "| resnet8 |           – |",
    ]


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
