"""Two runs on one folder, and on one cache, at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import RequestError
from bench.results.run import Run
from bench.results.run_file import load
from bench.running.run_folder import RunFolder
from bench.running.runner import run
from bench.storage.checkpoint import weights_digest
from bench.storage.checkpoint_store import CheckpointStore
from bench.studies.train import train
from tests.faults import nuisance
from tests.faults.conftest import Survived
from tests.repository import ROOT

FILE = Path(nuisance.__file__)
QUICK: dict[str, Any] = {"techniques": "bf16", "batch_sizes": 2, "runs": 1, "precision": 0.9, "progress": False}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks on folders")
def test_a_second_run_keeps_out_of_the_folder_of_the_first(
    survived: Survived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, refusals = RunFolder.update, list[RequestError]()

    def run_again() -> Run:
        return run(models=f"{FILE}:build", inputs=f"{FILE}:inputs", out=tmp_path / "out", **QUICK)

    def update_beside_another(folder: RunFolder, *arguments: Any) -> None:
        if not refusals:
            with pytest.raises(RequestError, match="another run is writing into") as refusal:
                run_again()
            refusals.append(refusal.value)
        update(folder, *arguments)

    monkeypatch.setattr(RunFolder, "update", update_beside_another)
    first = run_again()
    assert load(tmp_path / "out/run.json") == first
    assert first.finished
    assert run_again().created >= first.created, "the folder is free again"
    survived(
        "A second run begins in the folder of one that measures",
        str(refusals[0]),
        f"all {len(first.rows)} rows of the first run",
    )


@pytest.mark.slow
def test_two_trainings_of_the_same_in_one_cache(
    survived: Survived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [alone] = train("mnist/lab1", ["fp32"], data="synthetic", epochs=2, progress=False)
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    command = "train mnist/lab1 --technique fp32 --data synthetic --epochs 2"
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "bench", *command.split()],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    [checkpoint] = CheckpointStore.of_user().folder.iterdir()
    assert weights_digest(checkpoint) == weights_digest(alone.checkpoint)
    survived(
        "Two commands make the same data and train the same weights in one cache at once",
        f"both end with exit code 0 at the same weights (SHA-256 {weights_digest(checkpoint)[:8]}…)",
        "one checkpoint, and nothing else of them in the cache",
    )
