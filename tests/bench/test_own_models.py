"""The example of docs/own-models.md and the README, run as the page says."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

import bench
from tests.bench.conftest import Command
from tests.repository import ROOT

PAGE = ROOT / "docs/own-models.md"
EXAMPLE = ROOT / "docs/examples/net.py"
FASTER = ("--batch=2", "--runs=1", "--precision=90%")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_the_example_does_what_the_page_says(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [program] = blocks("python")
    script, _ = blocks("sh")
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    train, measure = script.splitlines()
    assert train == "python net.py"
    assert measure in (ROOT / "README.md").read_text(encoding="utf-8")
    runpy.run_path("net.py", run_name="__main__")
    code, out, err = command(*measure.split()[1:], *FASTER)
    assert code == 0, err
    run = bench.load_run(tmp_path / "runs/own/run.json")
    assert "| build" in out
    for row in run.rows:
        assert row.status in ("ok", "noisy"), (row.technique, row.reason)
        assert row.accuracy is not None
        assert row.accuracy.total == 2000
        assert row.accuracy.correct > 1600, "it has learnt to tell 12 directions apart"
    shorter = program.replace("techniques=", "batch_sizes=[64], runs=1, precision=0.9, progress=False, techniques=")
    assert shorter != program
    try:
        exec(compile(shorter, "a notebook", "exec"), {"__name__": "a notebook"})  # noqa: S102 — ours
    finally:
        sys.modules.pop("net", None)
    assert float(capsys.readouterr().out) > 0
