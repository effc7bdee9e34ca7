"""The comparison as files: a page with a picture of each model's speed-ups, or JSON."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.comparing.comparison import Comparison, compare
from bench.report import compared
from bench.report.machines import render
from bench.results.run import Run
from tests.bench.examples import FP32, LATER, QINT8, RUN, SETTINGS

THREADED = LATER.model_copy(update={"settings": SETTINGS.model_copy(update={"threads": 2, "batch_sizes": [1, 64, 8]})})
OTHER = QINT8.model_copy(update={"model": "lab2"})


def names(*runs: Run) -> list[str]:
    return [each.name for each in compared.pictures_of(compared.labelled(compare(*runs), runs), "page")]


def test_the_page_shows_a_picture_of_each_model(tmp_path: Path) -> None:
    runs = [RUN, THREADED]
    compared.write(compare(*runs), runs, tmp_path / "threads.md")
    assert {path.name for path in tmp_path.iterdir()} == {"threads.md", "threads-speed-up-mnist-lab1.svg"}
    text = (tmp_path / "threads.md").read_text(encoding="utf-8")
    assert (
        "![mnist/lab1: speed-up over each run's own fp32, with its 99 % interval](threads-speed-up-mnist-lab1.svg)"
        in text
    )
    svg = (tmp_path / "threads-speed-up-mnist-lab1.svg").read_text(encoding="utf-8")
    assert all(f">{label}<" in svg for label in ("A", "B", "Batch 1", "Batch 64")), "a mark for each run"
    assert "Batch 8" not in svg, "of which no speed-up is known"
    assert "![" not in render(compare(*runs)), "on the terminal there is nothing to show one with"


def test_json_has_no_pictures(tmp_path: Path) -> None:
    runs = [RUN, THREADED]
    compared.write(compare(*runs), runs, tmp_path / "threads.json")
    assert [path.name for path in tmp_path.iterdir()] == ["threads.json"]
    assert Comparison.model_validate_json((tmp_path / "threads.json").read_text()) == compare(*runs)


def test_a_model_that_only_one_run_knows_has_no_picture_here() -> None:
    assert names(RUN, THREADED) == ["page-speed-up-mnist-lab1.svg"]
    assert names(RUN.model_copy(update={"rows": [*RUN.rows, OTHER]}), THREADED) == ["page-speed-up-mnist-lab1.svg"]
    assert names(RUN, LATER.model_copy(update={"rows": [FP32]})) == []
    simulated = LATER.model_copy(update={"rows": [FP32, QINT8.model_copy(update={"simulated": True})]})
    assert names(RUN, simulated) == []


def test_nothing_is_imported_until_something_is_drawn() -> None:
    code = (
        "from bench.comparing.comparison import compare; from bench.report import compared; import sys\n"
        "from tests.bench.report.test_compared import RUN, THREADED\n"
        "assert compared.pictures_of(compared.labelled(compare(RUN, THREADED), [RUN, THREADED]), 'page')\n"
        "assert not {'matplotlib', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
