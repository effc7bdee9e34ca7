"""The networks that tasks train: plain ``nn.Module``s, built from hyperparameters alone.

``NETWORKS`` maps the name a checkpoint carries to the class it is rebuilt with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.mlp import MLP
from models.preact_resnet import PreActResNet

__all__ = ["MLP", "NETWORKS", "PreActResNet", "build", "example"]

NETWORKS: dict[str, type[nn.Module]] = {"mlp": MLP, "preact_resnet": PreActResNet}


def example(network: str, hyperparameters: dict[str, object]) -> Tensor:
    """Return one example of zeros, as the network takes them: what a structure can be traced with."""
    if network == "preact_resnet":
        return torch.zeros(1, 3, 32, 32)
    return torch.zeros(1, int(str(hyperparameters["inputs"])))


def build(network: str, hyperparameters: dict[str, object]) -> nn.Module:
    """Build the network called ``network``; raises ``KeyError`` or ``TypeError`` where they do not fit."""
    return NETWORKS[network](**hyperparameters)
