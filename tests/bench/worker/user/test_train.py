"""Techniques that take part in a training, on a network that the user's function trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bench
from bench.core.errors import UnsupportedError
from bench.storage.packed import Origin, load_user_model, pack
from bench.techniques.base import TECHNIQUES, Context
from bench.worker.user import train as training
from bench.worker.user.callables import FilePart

INPUTS = torch.rand(256, 8, generator=torch.Generator().manual_seed(0))
NAMES = ("dorefa:w2a2", "pact:w4a4", "wrpn:w4a4", "bwn", "xnor", "binaryconnect", "qat-qint8")
NET = """
import torch
from torch import nn

def train(model):
    assert model.training
    inputs = torch.rand(256, 8, generator=torch.Generator().manual_seed(0))
    labels = (inputs[:, 0] > 0.5).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
"""


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))


@pytest.fixture
def part(tmp_path: Path) -> FilePart:
    (tmp_path / "trained_net.py").write_text(NET, encoding="utf-8")
    return FilePart(tmp_path / "trained_net.py", "train")


@pytest.mark.parametrize("name", NAMES)
def test_a_users_network_is_trained_as_the_technique_prepares_it_and_reloads(
    part: FilePart, name: str, tmp_path: Path
) -> None:
    technique = TECHNIQUES.get(name)
    beats: list[int] = []
    prepared = training.prepared(technique, network())
    before = {key: value.clone() for key, value in prepared.state_dict().items()}
    training.train(part, prepared, tmp_path / "state", lambda done, total: beats.append(done))
    assert len(beats) == 30, "each step says that the process is alive"
    trained = training.load(training.prepared(technique, network()), tmp_path / "state")
    assert any(not torch.equal(value, before[key]) for key, value in trained.state_dict().items() if key in before)
    artifact = technique.convert(trained, Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: INPUTS))
    origin = Origin(
        model="own/net", technique=name, engine="fbgemm", built_by="build()", trained_as=technique.trained_as
    )
    pack(artifact.module, tmp_path / "packed", origin)
    with torch.inference_mode():
        outputs = artifact.forward(INPUTS)
    assert torch.equal(load_user_model(tmp_path / "packed", network(), INPUTS)(INPUTS), outputs)


def test_weights_of_binaryconnect_are_clipped_after_each_step(part: FilePart, tmp_path: Path) -> None:
    prepared = training.prepared(TECHNIQUES.get("binaryconnect"), network())
    with torch.no_grad():
        prepared[2].weight.fill_(3.0)  # type: ignore[index]
    training.train(part, prepared, tmp_path / "state", lambda done, total: None)
    assert prepared[2].weight.abs().max() <= 1  # type: ignore[index]


def test_a_technique_that_builds_another_network_is_refused() -> None:
    class Wider:
        name, trained_as = "wider", "wider"

        def hyperparameters(self, network: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
            return {"width": 2}

    with pytest.raises(UnsupportedError, match=r"builds the network with other hyperparameters \(width\)"):
        training.prepared(Wider(), network())  # type: ignore[arg-type]


@pytest.mark.slow
def test_measure_trains_what_takes_part_in_a_training(part: FilePart) -> None:
    def train(model: nn.Module) -> None:
        labels = (INPUTS[:, 0] > 0.5).long()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(INPUTS), labels).backward()
            optimizer.step()

    def accuracy(model: Any) -> tuple[int, int]:
        return int((model(INPUTS).argmax(1) == (INPUTS[:, 0] > 0.5)).sum()), len(INPUTS)

    run = bench.measure(
        network(),
        INPUTS[:4],
        techniques=["dorefa:w4a4", "qat-qint8"],
        evaluate=accuracy,
        train=train,
        batch_sizes=[2],
        runs=1,
        precision=0.9,
        progress=False,
    )
    float32, *trained = run.rows
    assert float32.accuracy is not None
    assert float32.accuracy.correct < 200, "the module itself is not trained"
    for row in trained:
        assert row.measured, row.reason
        assert row.accuracy is not None
        assert row.accuracy.correct > 220
        assert row.packed_bytes is not None, row.notes
