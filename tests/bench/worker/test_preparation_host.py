"""How a network is made before it is trained, and its training begins: its hyperparameters, its teacher, its memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import models
from bench.core.errors import UnsupportedError
from bench.storage import checkpoint
from bench.storage.checkpoint import DataIdentity, DistillationSpec, Header
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.dataset import Split
from bench.tasks.task import TASKS, ModelSpec
from bench.techniques.base import TECHNIQUES
from bench.worker import preparation_host
from bench.worker.preparation_host import PreparationHost, _built, _taught

DATA = DataIdentity("synthetic", "f00d")


def taught(technique: str, distillation_spec: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Tensor], Any]:
    """What a student and its teacher hold before the first step, and what its loss is to take from it."""
    task, spec = TASKS.get("mnist"), TASKS.get("mnist").models[0]
    asked = DistillationSpec(teacher="some-teacher.safetensors", **distillation_spec)
    alone = checkpoint.training_spec("mnist", spec, DATA, "float32", seed=0, device="cpu")
    training = alone.model_copy(update={"distillation_spec": asked})
    store = CheckpointStore.of_user()
    torch.manual_seed(0)
    teacher = spec.build()
    header = Header(**alone.model_dump(), vocabulary=[], seconds=1.0, threads=1, torch="2.14.1")
    checkpoint.save(store.folder / "some-teacher.safetensors", teacher, header)
    student = TECHNIQUES.get(technique).prepare(spec.build())
    split = Split({"images": torch.zeros(2, 28, 28, dtype=torch.uint8)}, torch.zeros(2, dtype=torch.long))
    loss = _taught(training, student, task, spec, split, store)
    return student.state_dict(), teacher.state_dict(), loss


def test_a_student_starts_with_its_teachers_weights() -> None:
    student, teacher, loss = taught("dorefa:w2a2", {"initialise": True, "weight": 0.0, "temperature": 1.0})
    assert student.keys() == teacher.keys()
    assert all(torch.equal(student[name], teacher[name]) for name in teacher)
    assert loss is None


def test_the_weights_that_a_student_starts_with_are_made_fit_for_its_width() -> None:
    student, teacher, _ = taught("wrpn:w2a2", {"initialise": True, "weight": 0.0, "temperature": 1.0})
    name = "layers.0.weight"
    torch.testing.assert_close(student[name], teacher[name] / teacher[name].abs().amax())


def test_a_student_that_takes_the_loss_alone_starts_with_its_own_weights() -> None:
    student, teacher, loss = taught("dorefa:w2a2", {"initialise": False, "weight": 0.5, "temperature": 2.0})
    assert not any(torch.equal(student[name], teacher[name]) for name in teacher)
    assert (loss.weight, loss.temperature) == (0.5, 2.0)
    assert all(torch.equal(loss.teacher.state_dict()[name], teacher[name]) for name in teacher)


class Narrow(nn.Module):
    """A network of another package, which nothing makes wider."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.output = nn.Linear(inputs, classes)


def narrow(technique: str) -> tuple[ModelSpec, checkpoint.TrainingSpec]:
    spec = replace(TASKS.get("mnist").models[0], network="narrow", hyperparameters={"inputs": 4, "classes": 2})
    widened = replace(spec, hyperparameters=TECHNIQUES.get(technique).hyperparameters("narrow", spec.hyperparameters))
    return spec, checkpoint.training_spec("mnist", widened, DATA, "float32", 0, "cpu", technique)


def test_a_network_that_cannot_be_widened_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.NETWORKS, "narrow", Narrow)
    assert isinstance(_built(*narrow("wrpn:w2a2")), Narrow)
    with pytest.raises(UnsupportedError, match="the network narrow takes no widening, which the technique asks for"):
        _built(*narrow("wrpn:w2a2,wide=2"))


def test_a_network_that_does_not_fit_its_own_task_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.NETWORKS, "narrow", nn.Linear)
    with pytest.raises(TypeError, match="unexpected keyword"):
        _built(*narrow("wrpn:w2a2"))


class KeptError(Exception):
    """Memory was asked to be kept."""


def test_a_training_keeps_the_memory_that_its_steps_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def keep() -> None:
        raise KeptError  # before anything else of this process is changed

    monkeypatch.setattr(preparation_host, "keep_freed_memory", keep)
    _, training = narrow("fp32")
    with pytest.raises(KeptError):
        PreparationHost(lambda done, total: None).train(training, tmp_path / "none", CheckpointStore(tmp_path))
