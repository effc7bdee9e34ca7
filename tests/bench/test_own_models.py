"""The examples of docs/own-models.md and the README, run as the page says."""

from __future__ import annotations

import functools
import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.results.run import Run
from bench.results.sensitivity import Sensitivity
from tests.bench.conftest import Command
from tests.repository import ROOT

PAGE = ROOT / "docs/own-models.md"
EXAMPLE = ROOT / "docs/examples/net.py"
FASTER = ("--batch=2", "--runs=1", "--precision=90%")
SHORTER: dict[str, Any] = {"batch_sizes": [2, 64], "runs": 1, "precision": 0.9, "progress": False}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_begins_with_the_shortest_thing_that_works() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert "bench.measure(" in "\n".join(lines[:12])


@pytest.mark.slow
@pytest.mark.parametrize("program", blocks("python")[:2], ids=["shortest", "transformers"])
def test_a_program_of_the_page_works(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Run] = []

    def measured(*arguments: Any, **options: Any) -> Run:
        runs.append(measure(*arguments, **({"techniques": ["static-qint8"]} | options)))
        return runs[-1]

    measure = functools.partial(bench.measure, **SHORTER)
    monkeypatch.setattr(bench, "measure", measured, raising=False)
    exec(compile(program, "a notebook", "exec"), {"__name__": "a notebook"})  # noqa: S102 — ours
    [run] = runs
    assert {row.status for row in run.rows} <= {"ok", "noisy"}, [row.reason for row in run.rows]


@pytest.fixture
def beside_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the example, whose network is trained."""
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    runpy.run_path("net.py", run_name="__main__")
    return tmp_path


@pytest.mark.slow
def test_the_example_does_what_the_page_says(command: Command, beside_the_example: Path) -> None:
    train, measure, sensitivity, inspect = blocks("sh")[0].splitlines()
    assert train == "python net.py"
    assert measure in (ROOT / "README.md").read_text(encoding="utf-8")
    code, out, err = command(*measure.split()[1:], *FASTER)
    assert code == 0, err
    run = bench.load_run(beside_the_example / "runs/own/run.json")
    assert "| build" in out
    for row in run.rows:
        assert row.status in ("ok", "noisy"), (row.technique, row.reason)
        assert row.accuracy is not None
        assert row.accuracy.total == 2000
        assert row.accuracy.correct > 1600, "it has learnt to tell 12 directions apart"
    code, _, err = command(*sensitivity.split()[1:], *FASTER)
    assert code == 0, err
    written = (beside_the_example / "runs/sensitivity/sensitivity.json").read_text(encoding="utf-8")
    study = Sensitivity.model_validate_json(written)
    assert study.recommendation is not None
    assert study.recommendation.search.value >= -0.01
    code, out, err = command(*inspect.split()[1:])
    assert code == 0, err
    assert "range-linear" in inspect
    sys.modules.pop("net", None)
