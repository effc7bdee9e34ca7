"""The command is killed with SIGKILL; then the same command gives what an undisturbed one does, and nothing is left."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from bench.results.row import Row
from bench.results.run import Run
from bench.results.run_file import load
from bench.storage.checkpoint import weights_digest
from bench.storage.checkpoint_store import CheckpointStore
from bench.studies.train import train
from tests.faults import killed, nuisance
from tests.faults.conftest import Bench, Survived, run_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is about processes as Linux has them")

SIGKILL = -9
FILE = Path(nuisance.__file__)
RUN = [
    "run",
    *(f"--{part}={FILE}:{name}" for part, name in (("model", "build"), ("inputs", "inputs"), ("evaluate", "accuracy"))),
    *("--technique=bf16", "--batch=2", "--runs=1", "--precision=90%", "--spread=0"),
]
MEASURED_ANEW = {"latency", "speedup", "status", "reason", "peak_memory_bytes", "build_s", "load_s", "first_answer_s"}
"""What differs between two runs."""


def figures(run: Run) -> list[dict[str, object]]:
    """Return what two runs of the same have in common."""
    return [row.model_dump(exclude=MEASURED_ANEW) for row in run.rows]


def rounds(rows: list[Row]) -> list[list[float]]:
    return [row.latency[2].rounds_s for row in rows if row.latency]


def names(folder: Path) -> list[str]:
    """Return what is in a folder, but for the cache that torch keeps among temporary files, whatever imports it."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("torchinductor_"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbs."""
    out = tmp_path_factory.mktemp("undisturbed")
    with tempfile.TemporaryDirectory(prefix="qb") as temporary:
        done = run_command(Path(temporary), "nowhere", *RUN, f"--out={out}")
        assert done.returncode == 0, done.stderr
        assert names(Path(temporary)) == []
    return out


def killed_and_again(bench: Bench, place: str, out: Path) -> tuple[Run, Run]:
    """Return the run as it was killed, and as the same command finished it."""
    assert bench(place, *RUN, f"--out={out}").returncode == SIGKILL
    interrupted = load(out / "run.json")
    done = bench("nowhere", *RUN, f"--out={out}")
    assert done.returncode == 0, done.stderr
    again = load(out / "run.json")
    assert (interrupted.finished, again.finished) == (False, True)
    for before, after in zip(rounds(interrupted.rows), rounds(again.rows), strict=True):
        assert after[: len(before)] == before
    return interrupted, again


@pytest.mark.slow
@pytest.mark.parametrize("place", killed.IN_THE_COMMAND)
def test_a_run_that_was_killed_goes_on(
    place: str, survived: Survived, bench: Bench, undisturbed: Path, tmp_path: Path, temporary: Path
) -> None:
    interrupted, again = killed_and_again(bench, place, tmp_path / "out")
    assert figures(again) == figures(load(undisturbed / "run.json"))
    assert names(tmp_path / "out") == names(undisturbed)
    assert names(temporary) == []
    assert rounds(interrupted.rows), "some passes were saved"
    kept, all_of_them = (len(set(run.rows[0].latency[2].processes)) for run in (interrupted, again))
    if place == "writing report.md":
        assert kept == all_of_them
    survived(
        f"`bench run` is killed (`kill -9`) while {place}",
        f"the same command goes on: {len(again.rows)} rows, with the figures of an undisturbed run",
        f"{kept} of the {all_of_them} processes of each variant had been saved; nothing else is left in the folder, "
        f"nor among temporary files",
    )


@pytest.mark.slow
@pytest.mark.parametrize("place", killed.IN_WORKERS)
def test_a_training_that_was_killed_goes_on_to_the_same_weights(
    place: str, survived: Survived, bench: Bench, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [undisturbed] = train("mnist/lab1", ["fp32"], data="synthetic", epochs=4, progress=False)
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(killed.WORKER, str(tmp_path / "worker"))
    command = ("train", "mnist/lab1", "--technique=fp32", "--data=synthetic", "--epochs=4")
    assert bench(place, *command).returncode == SIGKILL
    checkpoints = CheckpointStore.of_user().folder
    [state] = checkpoints.glob("*.training")
    if place == "training":
        worker = int((tmp_path / "worker").read_text())
        _, alive = psutil.wait_procs([psutil.Process(worker)] if psutil.pid_exists(worker) else [], timeout=30)
        assert not alive, "the worker ends with the command"
    done = bench("nowhere", *command)
    assert done.returncode == 0, done.stderr
    [checkpoint] = checkpoints.iterdir()
    assert weights_digest(checkpoint) == weights_digest(undisturbed.checkpoint)
    assert names(temporary) == []
    assert not state.exists()
    survived(
        f"`bench train` is killed (`kill -9`) while {place}",
        f"the same command goes on and ends at the weights of an undisturbed training "
        f"(SHA-256 {weights_digest(checkpoint)[:8]}…)",
        "the epochs that had been saved; the cache has the checkpoint and nothing else of it",
    )
