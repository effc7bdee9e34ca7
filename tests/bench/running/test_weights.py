"""Weights depend on the seed and the recipe, and not on how many cores there are."""

from __future__ import annotations

from functools import partial

import pytest

from bench.measuring import machine
from bench.options.studies import ModelOptions
from bench.running.model_session import model_session
from bench.running.provenance import training_of
from bench.running.weights import SHARE_A_GPU, at_once
from bench.storage import checkpoint
from bench.storage.checkpoint import DataIdentity
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_weights_on_any_number_of_cores(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    with model_session(ModelOptions("mnist/lab1", data="synthetic", epochs=1, progress=False)) as session:
        training = session.training(TECHNIQUES.get("fp32"))
        training = training.model_copy(update={"recipe": {**training.recipe, "threads": threads}})
        for cores in (1, 4):
            monkeypatch.setattr(machine, "usable_cores", partial(int, cores))
            header = session.train([training], retrain=True)[training]
            assert isinstance(header, checkpoint.Header), header
            assert training_of(session.selected, header).threads == threads
            network, _ = checkpoint.load(session.store.path(training))
            digests.add(checkpoint.digest(network.state_dict()))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("device", "recipe", "cores", "expected"),
    [
        ("cpu", {}, 8, 8),
        ("cpu", {"threads": 3}, 8, 2),
        ("cpu", {"threads": 3}, 2, 1),
        ("cuda", {}, 16, SHARE_A_GPU),
        ("cuda", {}, 2, 2),
        ("cuda", {"compiled": True}, 16, 1),
    ],
)
def test_as_many_train_at_once_as_there_is_room_for(
    device: str, recipe: dict[str, int], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    identity = DataIdentity("real", "0")
    spec = next(spec for spec in TASKS.get("mnist").models if spec.name == "lab1")
    training = checkpoint.training_spec("mnist", spec, identity, "float32", 0, device)
    training = training.model_copy(update={"recipe": {**training.recipe, **recipe}})
    assert at_once([training]) == expected
    assert at_once([]) == cores
