from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.markdown import lab_tables, render
from tests.bench.examples import DATA, FP32, RUN

GOLDEN = Path(__file__).with_name("golden_report.md")


def test_the_report_is_the_golden_one() -> None:
    """After an intended change: write ``render([RUN])`` to the golden file and read the difference."""
    assert render([RUN]) == GOLDEN.read_text(encoding="utf-8")


def test_the_labs_table_has_the_labs_columns() -> None:
    header = next(line for line in lab_tables(RUN).splitlines() if line.startswith("|"))
    columns = [column.strip() for column in header.strip("|").split("|")]
    assert columns == ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy", "Latency B1", "B64"]


def test_what_a_row_could_not_do_stands_below_its_table() -> None:
    assert "(`static-qint8`) **unsupported**: this torch has no fbgemm engine" in lab_tables(RUN)


def test_synthetic_data_are_named_in_the_head_and_in_every_caption() -> None:
    synthetic = RUN.model_copy(
        update={"data": [DATA.model_copy(update={"kind": "synthetic", "note": "the download failed (no network)"})]}
    )
    text = render([synthetic])
    assert "**Synthetic data.** The figures for MNIST" in text
    captions = [line for line in text.splitlines() if "accuracy on all" in line]
    assert len(captions) == 2
    assert all("**SYNTHETIC data, not MNIST**" in caption for caption in captions)
    assert "Why not the real set: the download failed (no network)" in text


def test_an_interrupted_run_says_so() -> None:
    assert "**Unfinished.**" in render([RUN.model_copy(update={"finished": False})])


def test_a_run_without_rows_renders() -> None:
    assert "# Quantbench" in render([RUN.model_copy(update={"rows": [], "data": [], "trainings": []})])


def test_each_run_has_its_chapter() -> None:
    assert render([RUN, RUN]).count("# Quantbench: quick on Example CPU 3000") == 2


@pytest.mark.parametrize("missing", ["size_bytes", "params", "accuracy", "layers"])
def test_what_was_not_measured_is_a_dash_and_never_a_zero(missing: str) -> None:
    rows = [FP32.model_copy(update={missing: None, "latency": {}})]
    line = next(line for line in lab_tables(RUN.model_copy(update={"rows": rows})).splitlines() if "float32" in line)
    assert line.count("–") == 2 + (missing != "layers")
