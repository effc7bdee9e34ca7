"""What the README and the reports show came from the run files that are committed."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench
from bench.report.markdown import lab_tables, render

ROOT = Path(__file__).parent.parent
RUN_FILES = sorted((ROOT / "reports").glob("*/run.json"))


def between(name: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition(f"<!-- {name}: begin -->\n")[2].partition(f"\n<!-- {name}: end -->")[0]


def test_the_readmes_tables_are_those_of_the_committed_run() -> None:
    assert between("lab tables") == lab_tables(bench.load_run(ROOT / "reports/lab/run.json"))


def test_the_readmes_speed_is_the_committed_one() -> None:
    assert between("speed table") == (ROOT / "reports/speed/speed.md").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.parent.name)
def test_a_committed_report_is_rendered_from_its_run_file(path: Path) -> None:
    assert path.with_name("report.md").read_text(encoding="utf-8") == render([bench.load_run(path)])


def test_there_is_a_committed_run() -> None:
    assert RUN_FILES
