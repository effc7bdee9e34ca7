"""A user's network, trained by the user's function as a technique prepared it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from bench.core.errors import UnsupportedError
from bench.core.report import Report
from bench.techniques.base import TECHNIQUES, Technique
from bench.worker.user.callables import Part, called


def prepared(technique: Technique, network: nn.Module) -> nn.Module:
    """Return the network in the form in which it is trained; raises ``UnsupportedError`` if it would be another."""
    if added := technique.hyperparameters("", {}):
        raise UnsupportedError(
            f"{technique.name} builds the network with other hyperparameters ({', '.join(added)}), and how yours is "
            f"built is not known; leave that option out"
        )
    return TECHNIQUES.get(technique.trained_as).prepare(network)


def train(part: Part, network: nn.Module, path: Path, report: Report) -> None:
    """Let the user's function train ``network``, and write its state to ``path``; raises ``UserModelError``.

    After each step of an optimizer modules do what their technique asks for, such as clipping weights.
    """
    steps = [step for module in network.modules() if callable(step := getattr(module, "after_step", None))]

    def after_step(*arguments: Any) -> None:
        report(0, 1)  # the process is alive
        with torch.no_grad():
            for step in steps:
                step()

    hook = register_optimizer_step_post_hook(after_step)
    try:
        with torch.enable_grad():
            called(part.words, part.load(), network.train())
    finally:
        hook.remove()
    state = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(state, path)


def load(network: nn.Module, path: Path) -> nn.Module:
    """Give ``network`` what was trained."""
    network.load_state_dict(safetensors.torch.load_file(path))
    return network.eval()
