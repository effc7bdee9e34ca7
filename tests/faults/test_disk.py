"""A disk that fills, or becomes read-only, while something is written to it; then the same command again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.report import markdown
from bench.results.run import Run
from bench.results.run_file import load
from bench.running.run_folder import RunFolder
from bench.storage.checkpoint import weights_digest
from bench.studies.train import train
from tests.bench.conftest import Command
from tests.faults import nuisance
from tests.faults.conftest import Survived, said
from tests.faults.disk import fill, make_room, remount, small_disk

FILE = Path(nuisance.__file__)
RUN = [
    "run",
    *(f"--model={FILE}:build", f"--inputs={FILE}:inputs", "--technique=bf16"),
    *("--batch=2", "--runs=1", "--precision=90%", "--spread=0"),
]
TRAIN: dict[str, Any] = {"data": "synthetic", "epochs": 1, "progress": False}
LAST_SAVE = 2
"""Passes that are saved before the fault."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "24m") as place:
        yield place


def after_some_passes(patch: pytest.MonkeyPatch, fault: Callable[[], None]) -> None:
    """Let the fault come when some passes have been saved."""
    update, saved = RunFolder.update, iter(range(1000))

    def planted(folder: RunFolder, *arguments: Any) -> None:
        if next(saved) == LAST_SAVE:
            fault()
        update(folder, *arguments)

    patch.setattr(RunFolder, "update", planted)


def before_the_report(patch: pytest.MonkeyPatch, fault: Callable[[], None]) -> None:
    """Let the fault come when everything is measured and the report is to be written."""
    render = markdown.render

    def planted(runs: list[Run]) -> str:
        fault()
        return render(runs)

    patch.setattr(markdown, "render", planted)


def processes(run: Run) -> int:
    return len(set(run.rows[0].latency[2].processes))


def hit_and_again(
    command: Command, disk: Path, plant: Callable[[pytest.MonkeyPatch], None], repair: Callable[[], None]
) -> tuple[str, Run, Run]:
    """Return the sentence, the run that was kept, and the one that the same command finished afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        code, _, err = command(*RUN, f"--out={disk / 'out'}")
    assert code == 2
    kept = load(disk / "out/run.json")
    repair()
    assert command(*RUN, f"--out={disk / 'out'}")[0] == 0
    again = load(disk / "out/run.json")
    assert (kept.finished, again.finished) == (False, True)
    assert (disk / "out/report.md").exists()
    assert all(
        len(row.latency[2].rounds_s) >= len(old.latency[2].rounds_s)
        for row, old in zip(again.rows, kept.rows, strict=True)
    )
    assert not list((disk / "out").glob("quantbench~*"))
    return said(err), kept, again


@pytest.mark.parametrize("writing", ["run.json", "report.md"])
def test_a_disk_fills(writing: str, survived: Survived, command: Command, disk: Path) -> None:
    plant = after_some_passes if writing == "run.json" else before_the_report
    sentence, kept, again = hit_and_again(
        command, disk, lambda patch: plant(patch, lambda: fill(disk)), lambda: make_room(disk)
    )
    assert f"{writing} cannot be written (No space left on device)" in sentence
    assert processes(kept) == (LAST_SAVE if writing == "run.json" else processes(again))
    survived(
        f"The disk is full when {writing} is written",
        sentence,
        f"{processes(kept)} of {processes(again)} processes of each variant; the same command goes on once there is "
        f"room",
    )


def test_a_disk_fills_when_a_checkpoint_is_written(
    survived: Survived, command: Command, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [undisturbed] = train("mnist/lab1", ["fp32"], **TRAIN)
    monkeypatch.setenv("QUANTBENCH_CACHE", str(disk / "cache"))
    train("mnist/lab1", ["fp32"], seeds=[1], **TRAIN)  # makes the stand-in
    fill(disk)
    [failed] = train("mnist/lab1", ["fp32"], **TRAIN)
    assert "checkpoints cannot be written (No space left on device)" in failed.reason
    make_room(disk)
    [again] = train("mnist/lab1", ["fp32"], **TRAIN)
    assert weights_digest(again.checkpoint) == weights_digest(undisturbed.checkpoint)
    assert all(path.suffix == ".safetensors" for path in again.checkpoint.parent.iterdir())
    survived(
        "The disk is full when a checkpoint is written",
        f"a row: failed, {failed.reason}",
        "the checkpoints that are there; the same command ends at the weights of an undisturbed training",
    )


def test_a_run_folder_becomes_read_only(survived: Survived, command: Command, disk: Path) -> None:
    sentence, kept, again = hit_and_again(
        command,
        disk,
        lambda patch: after_some_passes(patch, lambda: remount(disk, "ro")),
        lambda: remount(disk, "rw"),
    )
    assert "run.json cannot be written (Read-only file system)" in sentence
    survived(
        "The run's folder becomes read-only while it measures",
        sentence,
        f"{processes(kept)} of {processes(again)} processes of each variant; the same command goes on once it can be "
        f"written",
    )


def test_a_run_folder_is_read_only_from_the_start(survived: Survived, command: Command, disk: Path) -> None:
    remount(disk, "ro")
    code, out, err = command(*RUN, f"--out={disk / 'out'}")
    assert (code, out) == (2, "")
    survived("The run's folder is read-only from the start", said(err), "nothing was measured yet")
