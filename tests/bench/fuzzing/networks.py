"""Checkpoints, packed files and states of trainings, as fuzzing begins with them, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import models
from bench.core.errors import CheckpointError, UnsupportedError
from bench.storage import checkpoint, packed
from bench.storage.checkpoint import Trained
from bench.storage.packed import PackedModel
from bench.tasks.training.resume import Trainee
from bench.techniques.base import TECHNIQUES, Context
from tests.bench.fuzzing import safetensors_changes
from tests.bench.fuzzing.formats import Format

MLP: dict[str, Any] = {"inputs": 12, "hidden": [8, 6], "classes": 4}
PACKED_TECHNIQUES = ("fp32", "bf16", "dynamic-qint8", "static-qint8", "range-linear:w4")
TRAINED_TECHNIQUES = ("", "dorefa:w2a2")
HEADER = checkpoint.Header(
    task="mnist",
    model="lab1",
    network="mlp",
    hyperparameters=MLP,
    recipe={"epochs": 1},
    precision="float32",
    seed=0,
    device="cpu",
    data_kind="synthetic",
    data_fingerprint="ab",
    vocabulary=["a"],
    seconds=1.0,
    history=[checkpoint.EpochRecord(loss=1.0, seconds=1.0)],
    threads=1,
    torch="2",
)


def checkpoints(folder: Path) -> list[bytes]:
    """Return checkpoints of a small MLP, trained plainly and in few bits."""
    contents = []
    for technique in TRAINED_TECHNIQUES:
        network = models.build("mlp", dict(MLP))
        network = TECHNIQUES.get(technique).prepare(network) if technique else network
        checkpoint.save(folder / "checkpoint", network, HEADER.model_copy(update={"technique": technique}))
        contents.append((folder / "checkpoint").read_bytes())
    return contents


def _load_checkpoint(path: Path) -> Trained:
    checkpoint.untrained(path, "cpu")
    return checkpoint.load(path)


def _answer_trained(value: Trained, unchanged: Trained, folder: Path) -> None:
    _answer(value.network, value.training.network, dict(value.training.hyperparameters))


def packed_files(folder: Path) -> list[bytes]:
    """Return packed files of the same MLP, one a technique."""
    contents = []
    for technique in PACKED_TECHNIQUES:
        context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: torch.rand(4, 12))
        variant = TECHNIQUES.get(technique).convert(models.build("mlp", dict(MLP)).eval(), context)
        origin = packed.Origin(
            model="mnist/lab1", network="mlp", hyperparameters=MLP, technique=technique, engine="fbgemm"
        )
        packed.pack(variant.module, folder / "packed", origin)
        contents.append((folder / "packed").read_bytes())
    return contents


def _answer_packed(value: PackedModel, unchanged: PackedModel, folder: Path) -> None:
    _answer(value, value.origin.network, dict(value.origin.hyperparameters))


def _answer(call: Any, network: str, hyperparameters: dict[str, object]) -> None:
    """Let a network that was read answer one example."""
    with torch.inference_mode():
        assert len(call(models.example(network, hyperparameters))) == 1


class NoStateError(Exception):
    """A training begins anew."""


def _trainee() -> Trainee:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return Trainee(module, optimizer, schedule, scaler, torch.Generator().manual_seed(0))


def states(folder: Path) -> list[bytes]:
    """Return the state of a small network after a step."""
    trained = _trainee()
    _step(trained)
    trained.save(folder / "state", [(0.5, 1.0)])
    return [(folder / "state").read_bytes()]


def _restore(path: Path) -> Trainee:
    restored = _trainee()
    if len(restored.restore(path)) == 1:
        return restored
    for value, untouched in zip(restored.module.parameters(), _trainee().module.parameters(), strict=True):
        assert torch.equal(value, untouched), "a state that is not used leaves no trace"
    raise NoStateError(f"{path} is no state")


def _step(trainee: Trainee, *_: object) -> None:
    trainee.module(torch.ones(4, 2)).sum().backward()
    trainee.optimizer.step()


CHECKPOINT = Format(
    checkpoints, _load_checkpoint, (CheckpointError,), _answer_trained, change=safetensors_changes.changed
)
PACKED = Format(
    packed_files,
    packed.load,
    (CheckpointError, UnsupportedError),
    _answer_packed,
    change=safetensors_changes.changed,
)
STATE = Format(states, _restore, (NoStateError,), _step, change=safetensors_changes.changed)
