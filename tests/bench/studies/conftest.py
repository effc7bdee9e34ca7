"""What the tests of studies share: one short training of synthetic digits, and trainings that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bench.core.errors import TrainingError
from bench.running import model_session, task_models, weights
from bench.storage.checkpoint import Header, TrainingSpec

MODEL = "mnist/lab1"
QUICK: dict[str, Any] = {"data": "synthetic", "progress": False, "epochs": 1}
SMALL_CHAIN: dict[str, Any] = {"chain": [32, 2], "seeds": [0, 1], "sources": ["both"]}
OPTIONS = ("--data", "synthetic", "--epochs", "1")

Outcomes = dict[TrainingSpec, Header | Exception]
Failing = Callable[[Callable[[TrainingSpec], bool]], None]
FAILED = TrainingError("the training diverged; try another --seed.")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Let trainings fail, those that are chosen."""

    def choose(fails: Callable[[TrainingSpec], bool]) -> None:
        def train_some(trainings: Sequence[TrainingSpec], *rest: Any, **options: Any) -> Outcomes:
            trained = [training for training in trainings if not fails(training)]
            failed: Outcomes = {training: FAILED for training in trainings if fails(training)}
            return weights.load_or_train(trained, *rest, **options) | failed

        for module in (model_session, task_models):
            monkeypatch.setattr(module, "load_or_train", train_some)

    return choose
