"""The networks that tasks train: plain ``nn.Module``s, built from hyperparameters alone.

``NETWORKS`` maps the name a checkpoint carries to the class it is rebuilt with; the entry points
``quantbench.networks`` of other people's packages name more.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import torch
from torch import Tensor, nn

from bench.models.mlp import MLP
from bench.models.preact_resnet import PreActResNet

__all__ = ["MLP", "NETWORKS", "PreActResNet", "build", "example"]

NETWORKS: dict[str, type[nn.Module]] = {"mlp": MLP, "preact_resnet": PreActResNet}


def example(network: str, hyperparameters: dict[str, object]) -> Tensor:
    """Return one example of zeros, as the network takes them: what a structure can be traced with.

    A network of another package says it with a static method ``example(hyperparameters)``; without one it takes flat
    inputs, ``(batch, inputs)``, and has the hyperparameter ``inputs``.
    """
    if network == "preact_resnet":
        return torch.zeros(1, 3, 32, 32)
    own = getattr(_network(network), "example", None)
    found: Tensor = own(hyperparameters) if own else torch.zeros(1, int(str(hyperparameters["inputs"])))
    return found


def build(network: str, hyperparameters: dict[str, object]) -> nn.Module:
    """Build the network called ``network``; raises ``KeyError`` or ``TypeError`` where they do not fit."""
    return _network(network)(**hyperparameters)


def _network(name: str) -> type[nn.Module]:
    if name in NETWORKS:
        return NETWORKS[name]
    points = entry_points(group="quantbench.networks", name=name)
    if len(points) > 1:
        raise ValueError(f"there are two networks called {name!r}")
    for point in points:
        network: type[nn.Module] = point.load()
        return network
    raise KeyError(name)
