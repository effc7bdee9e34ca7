from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import torch
from torch import Tensor, nn

from bench import models
from bench.models.mlp import MLP
from bench.models.preact_resnet import PreActResNet


@pytest.mark.parametrize(
    ("network", "hyperparameters", "kind"),
    [
        ("mlp", {"inputs": 4, "hidden": [3], "classes": 2}, MLP),
        ("preact_resnet", {"depth": 8, "classes": 10}, PreActResNet),
    ],
)
def test_a_network_is_built_from_its_name_and_hyperparameters(
    network: str, hyperparameters: dict[str, object], kind: type
) -> None:
    assert type(models.build(network, hyperparameters)) is kind


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(KeyError, match="transformer"):
        models.build("transformer", {})


def test_a_hyperparameter_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="dropout"):
        models.build("mlp", {"inputs": 4, "hidden": [3], "classes": 2, "dropout": 0.5})


class Sequences(nn.Module):
    """Of another package: it says what it takes."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, 2)

    @staticmethod
    def example(hyperparameters: dict[str, object]) -> Tensor:
        return torch.zeros(1, 7, dtype=torch.int64)


def test_a_network_of_another_package_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("sequences", "somewhere:Sequences", "quantbench.networks")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Sequences)
    monkeypatch.setattr(models, "entry_points", lambda group, name: [point] if name == point.name else [])
    assert isinstance(models.build("sequences", {"tokens": 5}), Sequences)
    assert models.example("sequences", {"tokens": 5}).shape == (1, 7)
    with pytest.raises(KeyError, match="other"):
        models.build("other", {})


def test_two_packages_may_not_bring_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("sequences", f"{package}:Network", "quantbench.networks") for package in ("one", "two")]
    monkeypatch.setattr(models, "entry_points", lambda group, name: points)
    with pytest.raises(ValueError, match="there are two networks called 'sequences'"):
        models.build("sequences", {})
