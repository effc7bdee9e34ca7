"""A clock that jumps, as that of a machine does that is set right: nothing is measured with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.results.run_file import load, save
from tests.faults import jumping_clock
from tests.faults.conftest import Survived

FILE = Path(jumping_clock.__file__)
QUICK: dict[str, Any] = {"techniques": "bf16", "batch_sizes": 2, "runs": 1, "precision": 0.9, "progress": False}


def test_the_clock_jumps_while_a_run_measures(
    survived: Survived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", jumping_clock.jumping)
    run = bench.run(models=f"{FILE}:build", inputs=f"{FILE}:inputs", out=tmp_path, **QUICK)
    times_s = [seconds for row in run.rows for seconds in row.latency[2].rounds_s]
    assert all(0 < seconds < 60 for seconds in times_s)
    survived(
        "The system's clock jumps by a year, back and forth, while a run measures",
        f"{len(run.rows)} rows as without it; each of the {len(times_s)} times is between "
        f"{1e6 * min(times_s):.2g} and {1e6 * max(times_s):.2g} µs a call",
        "everything: times are read from a clock that cannot be set",
    )


def test_a_run_from_the_future_is_taken_up(survived: Survived, tmp_path: Path) -> None:
    run = bench.run(models=f"{FILE}:build", inputs=f"{FILE}:inputs", out=tmp_path, **QUICK)
    later = "2099-01-01T00:00:00+00:00"
    save(run.model_copy(update={"finished": False, "created": later}), tmp_path / "run.json")
    again = bench.run(models=f"{FILE}:build", inputs=f"{FILE}:inputs", out=tmp_path, **QUICK)
    assert load(tmp_path / "run.json") == again
    assert [row.latency for row in again.rows] == [row.latency for row in run.rows]
    survived(
        "The clock was set back by decades after a run was interrupted",
        f"the same command goes on with the run, begun {again.created[:10]}",
        f"all {len(again.rows)} rows, and every time in them",
    )
