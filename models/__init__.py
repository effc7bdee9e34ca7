"""The networks that tasks train: plain ``nn.Module``s, built from hyperparameters alone.

``NETWORKS`` maps the name a checkpoint carries to the class it is rebuilt with.
"""

from __future__ import annotations

from torch import nn

from models.mlp import MLP
from models.preact_resnet import PreActResNet

__all__ = ["MLP", "NETWORKS", "PreActResNet", "build"]

NETWORKS: dict[str, type[nn.Module]] = {"mlp": MLP, "preact_resnet": PreActResNet}


def build(network: str, hyperparameters: dict[str, object]) -> nn.Module:
    """Build the network called ``network``; raises ``KeyError`` or ``TypeError`` where they do not fit."""
    return NETWORKS[network](**hyperparameters)
