"""The whole way, on synthetic data: train, convert, measure, write."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import CheckpointError, DataError, RequestError, RunFileError, TrainingError
from bench.measuring.latency.sampling import HOPELESS, LEAST_PROCESSES
from bench.results import run_file
from bench.results.row import Row
from bench.results.run import Run
from bench.running import execute, latency, task_models, weights
from bench.storage.checkpoint import Header, TrainingSpec
from bench.tasks.source import cache_folder

QUICK: dict[str, Any] = {
    "techniques": ["dynamic-qint8", "amp"],
    "batch_sizes": [2],
    "runs": 1,
    "precision": 0.9,  # any machine reaches it
    "data": "synthetic",
    "progress": False,
}


def run(out: Path | None, **changes: Any) -> Run:
    return bench.run("quick", **({"models": ["mnist/lab1"], "out": out} | QUICK | changes))


def timed_enough(row: Row) -> bool:
    """Tell whether a row has the processes it is owed: fewer where it was found hopelessly slow and timed no more.

    Emulated bfloat16, and a machine that does other work, make amp of so small a model one of those.
    """
    given_up = 2 in row.speedup and row.speedup[2].retired
    least = min(processes for processes, _ in HOPELESS) if given_up else LEAST_PROCESSES
    return len(set(row.latency[2].processes)) >= least


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def finished(out: Path, shared_cache: Path) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        return run(out)


def test_every_row_is_measured(finished: Run) -> None:
    assert finished.finished
    assert [row.technique for row in finished.rows] == ["fp32", "dynamic-qint8", "amp"]
    for row in finished.rows:
        assert row.measured, row.reason
        assert row.params == 407_050
        assert row.accuracy is not None
        assert row.accuracy.total == 1000
        assert row.accuracy.correct > 700
        assert timed_enough(row)
        assert len(row.latency[2].runs_s) == finished.settings.runs
        assert row.macs == 784 * 512 + 512 * 10
        assert row.peak_memory_bytes is not None
        assert row.packed_bytes is not None
        assert sum(row.bytes_by_dtype.values()) <= row.packed_bytes
    fp32, int8, _ = finished.rows
    assert fp32.size_bytes is not None
    assert int8.size_bytes is not None
    assert fp32.size_bytes > 3.5 * int8.size_bytes
    assert fp32.agreement is None
    assert int8.agreement is not None
    assert int8.accuracy is not None
    assert fp32.accuracy is not None
    assert fp32.accuracy.correct - int8.agreement.lost + int8.agreement.gained == int8.accuracy.correct
    speedup = int8.speedup[2]
    assert speedup.n == len(set(int8.latency[2].processes))
    assert speedup.low <= speedup.value <= speedup.high
    assert fp32.latency[2].estimate_s / int8.latency[2].estimate_s == pytest.approx(speedup.value)
    assert finished.references[0].latency[2].rounds == fp32.latency[2].rounds


def test_amp_has_a_training_of_its_own(finished: Run) -> None:
    assert [training.precision for training in finished.trainings] == ["float32", "bfloat16"]


def test_the_files_hold_the_run(finished: Run, out: Path) -> None:
    assert bench.load_run(out / "run.json") == finished
    assert "SYNTHETIC data, not MNIST" in (out / "report.md").read_text(encoding="utf-8")


def test_synthetic_data_are_named_in_the_run_file(finished: Run, out: Path) -> None:
    content = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert content["data"][0]["kind"] == "synthetic"
    assert content["data"][0]["origin"].startswith("synthetic stand-in for MNIST")


def test_a_second_run_reloads_the_weights_and_keeps_the_first_run(finished: Run, out: Path) -> None:
    checkpoints = {path: path.stat().st_mtime_ns for path in (cache_folder() / "checkpoints").iterdir()}
    again = run(out)
    assert {path: path.stat().st_mtime_ns for path in (cache_folder() / "checkpoints").iterdir()} == checkpoints
    assert again.trainings == finished.trainings
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in finished.rows]
    assert bench.load_run(out / "run.previous.json") == finished


@pytest.mark.slow
def test_retrain_trains_anew_to_the_same_weights(finished: Run) -> None:
    again = run(None, retrain=True, techniques=["fp32"])
    assert again.trainings[0].seconds != finished.trainings[0].seconds
    assert again.rows[0].accuracy == finished.rows[0].accuracy


def test_a_damaged_checkpoint_stops_the_run_with_a_sentence(finished: Run, tmp_path: Path) -> None:
    [path] = {
        path
        for training in finished.trainings
        for path in (cache_folder() / "checkpoints").glob(f"mnist-lab1-float32-*{training.recipe_hash}.safetensors")
    }
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    try:
        with pytest.raises(
            CheckpointError,
            match=f"{path.name} is truncated or damaged .*; delete the file",
        ):
            run(tmp_path)
    finally:
        path.write_bytes(whole)


def test_real_data_that_are_not_there_stop_the_run_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MNIST is not in .* and the download from .* failed .*--data synthetic"):
        run(tmp_path, data="real", data_root=tmp_path)


def test_a_training_that_fails_is_the_row_of_those_who_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, finished: Run
) -> None:
    def load_or_train(*arguments: Any, **options: Any) -> dict[TrainingSpec, Header | Exception]:
        headers = weights.load_or_train(*arguments, **options)
        return {
            training: TrainingError("the loss is nan") if training.precision == "bfloat16" else header
            for training, header in headers.items()
        }

    monkeypatch.setattr(task_models, "load_or_train", load_or_train)
    run_without_amp = run(None)
    assert [(row.technique, row.measured) for row in run_without_amp.rows] == [
        ("fp32", True),
        ("dynamic-qint8", True),
        ("amp", False),
    ]
    assert run_without_amp.rows[2].status == "failed"
    assert run_without_amp.rows[2].reason == "the loss is nan"
    assert [training.precision for training in run_without_amp.trainings] == ["float32"]


def interrupted(after: int, by: Callable[[], object]) -> Callable[..., None]:
    """Return ``sample_latencies`` that is interrupted after so many passes over all models."""

    def sample_latencies(models: Sequence[latency.ModelLatency], after_sweep: Callable[[], None]) -> None:
        sweeps = 0

        def counted() -> None:
            nonlocal sweeps
            after_sweep()
            sweeps += 1
            if sweeps == after:
                by()

        latency.sample_latencies(models, counted)

    return sample_latencies


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def without_latencies(run: Run) -> list[dict[str, Any]]:
    """Return what the rows have but latencies and speed-ups."""
    return [row.model_dump(exclude={"latency", "speedup"}) for row in run.rows]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_the_processes_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Run
) -> None:
    asked: dict[str, Any] = {"models": ["mnist/lab1", "mnist/lab2"], "techniques": ["dynamic-qint8"]}
    with monkeypatch.context() as patch:
        patch.setattr(execute, "sample_latencies", interrupted(after=3, by=raise_interrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, **asked)
    stopped = bench.load_run(tmp_path / "run.json")
    assert not stopped.finished
    assert [row.model for row in stopped.rows] == ["lab1"] * 2 + ["lab2"] * 2
    assert {process for row in stopped.rows for process in row.latency[2].processes} == {0, 1, 2}

    with pytest.raises(RunFileError, match=r"unfinished run with other settings \(runs 1, now 2\)"):
        run(tmp_path, **asked, runs=2)

    done = run(tmp_path, **asked)
    assert done.finished
    assert without_latencies(done) == without_latencies(stopped)
    for before, after in zip(stopped.rows, done.rows, strict=True):
        now, then = after.latency[2], before.latency[2]
        assert now.rounds_s[: len(then.rounds_s)] == then.rounds_s
        assert sorted(set(now.processes)) == list(range(max(now.processes) + 1))
        assert timed_enough(after)


def test_a_budget_too_short_for_a_model_names_the_least_and_keeps_the_rows(tmp_path: Path, finished: Run) -> None:
    with pytest.raises(RequestError, match=r"--budget 1e-06 is too short for mnist/lab1: .* give \d+ or more\."):
        run(tmp_path, techniques=["fp32"], budget_s=1e-6)
    kept = bench.load_run(tmp_path / "run.json")
    assert not kept.finished
    assert [(row.task, row.measured) for row in kept.rows] == [("mnist", True)]
    assert not multiprocessing.active_children(), "no worker is left"


def test_an_interrupted_run_does_not_go_on_with_other_data(tmp_path: Path, finished: Run) -> None:

    other = finished.data[0].model_copy(update={"kind": "real", "fingerprint": "0" * 16})
    models = ["mnist/lab1", "mnist/lab2"]
    settings = finished.settings.model_copy(update={"models": models})
    stopped = finished.model_copy(update={"finished": False, "data": [other], "settings": settings})
    run_file.save(stopped, tmp_path / "run.json")
    with pytest.raises(RunFileError, match=r"unfinished run with other data \(mnist real 0+, now synthetic"):
        run(tmp_path, models=models)
    assert bench.load_run(tmp_path / "run.json") == stopped


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.slow
def test_a_signal_leaves_valid_rows_and_one_sentence(tmp_path: Path, number: int, code: int, finished: Run) -> None:
    script = (
        "import os, sys\n"
        "from bench.cli import main\n"
        "from bench.running import execute\n"
        "from tests.bench.running.test_runner import interrupted\n"
        f"execute.sample_latencies = interrupted(after=2, by=lambda: os.kill(os.getpid(), {int(number)}))\n"
        "main.main()\n"
    )
    options = (
        "--model mnist/lab1 --model mnist/lab2 --technique fp32 --batch 2 --runs 1 --precision 90% --data synthetic"
    )
    command: Sequence[str] = [sys.executable, "-c", script, "run", *options.split(), "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "the same command goes on with what has been measured" in done.stderr
    rows = bench.load_run(tmp_path / "run.json").rows
    assert [row.model for row in rows] == ["lab1", "lab2"]
    assert all(set(row.latency[2].processes) == {0, 1} for row in rows)


def test_an_unfinished_file_without_rows_stands_in_nobodys_way(tmp_path: Path, finished: Run) -> None:

    run_file.save(finished.model_copy(update={"finished": False, "rows": []}), tmp_path / "run.json")
    assert run(tmp_path, techniques=["fp32"]).finished


def test_a_cache_that_cannot_be_written_is_found_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path))
    with pytest.raises(RequestError, match=r"cannot be written .*\$QUANTBENCH_CACHE"):
        run(None)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "fake"},
        {"seed": -1},
        {"seed": 2**64},
        {"precision": 0.0},
        {"budget_s": 0.0},
        {"timeout_s": -1.0},
        {"pin": "everywhere"},
        {"batch_sizes": []},
    ],
)
def test_arguments_that_make_no_sense_are_a_sentence(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        run(None, **changes)


def test_a_foreign_run_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("my notes")
    with pytest.raises(RunFileError, match=r"is in the way .*not a run file.*; move it away, or name another"):
        run(tmp_path)
    assert (tmp_path / "run.json").read_text() == "my notes"
