"""What a user's callables may do to their process: the run goes on, or a sentence names the callable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.core.errors import UserModelError
from bench.results.row import Accuracy, Row
from bench.running.runner import run
from tests.faults import nuisance
from tests.faults.conftest import Bench, Survived

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no fork")

FILE = Path(nuisance.__file__)
QUICK: dict[str, Any] = {"batch_sizes": 2, "runs": 1, "precision": 0.9, "progress": False, "techniques": "bf16"}


def rows_of(evaluate: str) -> list[Row]:
    return run(models=f"{FILE}:build", inputs=f"{FILE}:inputs", evaluate=f"{FILE}:{evaluate}", **QUICK).rows


def test_an_evaluation_that_ends_its_process(survived: Survived) -> None:
    rows = rows_of("exits")
    assert {row.status for row in rows} == {"failed"}
    assert rows[0].reason == "the process ended with code 3, while exits() of nuisance.py judged it"
    assert rows[0].packed_bytes
    survived("`evaluate` calls `os._exit`", f"a row: failed, {rows[0].reason}", "sizes and parameters are in the rows")


def test_inputs_that_end_their_process(survived: Survived) -> None:
    with pytest.raises(UserModelError, match=r"\(the process ended with code 4\)") as refusal:
        run(models=f"{FILE}:build", inputs=f"{FILE}:inputs_that_exit", **QUICK)
    survived("`inputs` calls `os._exit`", str(refusal.value), "nothing was measured yet")


def test_an_evaluation_that_forks_answers_once(survived: Survived) -> None:
    plain, forked = rows_of("accuracy"), rows_of("forks")
    assert [row.accuracy for row in forked] == [row.accuracy for row in plain]
    assert all(row.measured and row.accuracy is not None for row in forked)
    accuracy = forked[0].accuracy
    assert isinstance(accuracy, Accuracy)
    survived(
        "`evaluate` forks, and both processes return",
        f"one answer: {accuracy.correct} of {accuracy.total} right, as without the fork",
        f"all {len(forked)} rows are measured",
    )


def test_a_crash_is_noticed_though_a_forked_process_lives_on(
    survived: Survived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nuisance.LEFT, str(tmp_path / "left"))
    rows = rows_of("leaves_a_process")
    for left in (tmp_path / "left").read_text().split():
        psutil.Process(int(left)).kill()  # and there it is
    assert rows[0].reason == "the process died of SIGSEGV, while leaves_a_process() of nuisance.py judged it"
    survived(
        "`evaluate` forks and crashes, and the forked process lives on",
        f"a row: failed, {rows[0].reason}",
        "sizes and parameters are in the rows",
    )


def test_a_flood_does_not_reach_the_table(survived: Survived, bench: Bench, tmp_path: Path) -> None:
    parts = [f"--model={FILE}:build", f"--inputs={FILE}:inputs", f"--evaluate={FILE}:floods", "--technique=bf16"]
    options = ["--batch=2", "--runs=1", "--precision=90%", "--spread=0", f"--out={tmp_path}"]
    done = bench("nowhere", "run", *parts, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    assert nuisance.FLOOD.strip() not in done.stdout
    assert done.stdout.count("| build") >= 2
    flooded = done.stderr.count(nuisance.FLOOD.strip())
    assert flooded > 3.9 * nuisance.LINES, "of two variants, by print and past it; they may tear each other's lines"
    survived(
        f"`evaluate` prints {2 * nuisance.LINES:,} lines, past Python's `sys.stdout` too",
        f"{len(done.stdout.splitlines())} lines of tables on standard output; the flood goes to standard error",
        "all rows are measured",
    )
