from __future__ import annotations

import pytest

import models
from models.mlp import MLP
from models.preact_resnet import PreActResNet


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
