"""What the README and the reports show came from the run files that are committed.

After new runs, ``python -m tests.test_readme`` renders the reports and fills the README again.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bench
from bench.report.markdown import lab_tables, render
from tests.benchmarks import suite_speed

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RUN_FILES = sorted((ROOT / "reports").glob("*/run.json"))


def expected() -> dict[str, str]:
    """Return what stands between the README's marks, by their name."""
    return {
        "lab tables": lab_tables(bench.load_run(ROOT / "reports/lab/run.json")),
        "speed table": (ROOT / "reports/speed/speed.md").read_text(encoding="utf-8").strip(),
    }


def filled(text: str) -> str:
    """Return the README with the committed figures between its marks."""
    for name, content in expected().items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{content}\n\n{end}{rest.partition(end)[2]}"
    return text


def test_the_readme_shows_the_committed_figures() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(content in text for content in expected().values())
    assert text == filled(text)


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.parent.name)
def test_a_committed_report_is_rendered_from_its_run_file(path: Path) -> None:
    assert path.with_name("report.md").read_text(encoding="utf-8") == render([bench.load_run(path)])


def test_the_speed_table_is_rendered_from_its_figures() -> None:
    folder = ROOT / "reports/speed"
    figures = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    assert (folder / "speed.md").read_text(encoding="utf-8") == suite_speed.render(figures) + "\n"


def test_there_is_a_committed_run() -> None:
    assert RUN_FILES


if __name__ == "__main__":
    for path in RUN_FILES:
        path.with_name("report.md").write_text(render([bench.load_run(path)]), encoding="utf-8")
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
