"""What lies between the commands of parts: files are copied, and what is not committed goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from bench.storage.checkpoint_store import CheckpointStore
from tests.benchmarks import run_folder
from tests.benchmarks.reports.part import Folders
from tests.repository import ROOT

ALONE = (40, 120)
"""Epochs of the 1-bit network without a teacher, to hold against those of students and their teachers together."""
TRIES = 20
"""Of the gate."""


def copy_example(folders: Folders) -> None:
    """Copy the example of a model of one's own, whose training leaves weights beside it."""
    shutil.copyfile(ROOT / "docs/examples/net.py", folders.scratch / "net.py")


def keep_checkpoints(folders: Folders) -> None:
    """Copy the checkpoints of ``training.json`` beside it."""
    for trained in json.loads((folders.out / "training.json").read_text(encoding="utf-8")):
        shutil.copyfile(CheckpointStore.of_user().folder / trained["checkpoint"], folders.out / trained["checkpoint"])


def use_committed_resnet20(folders: Folders) -> None:
    """Let the next command find the committed ResNet-20, whose training takes an hour and a half."""
    store = CheckpointStore.of_user().folder
    store.mkdir(parents=True, exist_ok=True)
    for checkpoint in (folders.reports / "resnet20").glob("*.safetensors"):
        if not (store / checkpoint.name).exists():
            shutil.copyfile(checkpoint, store / checkpoint.name)


def keep_trained_alone(folders: Folders) -> None:
    """Copy the records of the trainings without a teacher."""
    for epochs in ALONE:
        shutil.copyfile(folders.scratch / f"{epochs}/training.json", folders.out / f"alone-{epochs}-epochs.json")


def keep_compared_run(name: str) -> Callable[[Folders], None]:
    """Leave the run file alone of a run that is compared: the comparison shows what is in it."""
    return lambda folders: run_folder.keep_run_file(folders.out / name)


def has_every_try(out: Path) -> bool:
    """Return whether the gate was tried to the end."""
    path = out / "gate.json"
    return path.exists() and len(json.loads(path.read_text(encoding="utf-8"))["tries"]) == TRIES


def has_table(out: Path) -> bool:
    """Return whether the trust in latencies was measured to the end, where its table is written."""
    return (out / "trust.md").exists()
