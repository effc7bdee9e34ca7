"""The state of a training between two epochs, in a file, so that an interrupted one ends at the same weights.

safetensors, like every file of ours: tensors of the module, the optimizer and the random generators, and JSON for the
rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from bench.tasks.temporary import write_whole

KEY = "quantbench-training"
DIGEST = "sha256"
"""Of all that the file holds, beside it: from a damaged state a training would go on to other weights, or fail."""
FORMAT = f"3, torch {torch.__version__}"
"""A state of another torch is not resumed: other kernels would end at other weights."""


@dataclass(frozen=True)
class Trainee:
    """All of a training that changes from step to step."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    generator: torch.Generator

    def save(self, path: Path, history: Sequence[tuple[float, ...]]) -> None:
        """Write the state after the epochs of ``history``, atomically; raises ``OSError``."""
        state = self.optimizer.state_dict()
        tensors = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        numbers: dict[str, Any] = {}
        for index, slots in state["state"].items():
            for name, value in slots.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{name}"] = value
                else:
                    numbers[f"{index}.{name}"] = value
        tensors["generator"] = self.generator.get_state()
        tensors["global"] = torch.get_rng_state()
        if self.generator.device.type == "cuda":
            tensors["cuda"] = torch.cuda.get_rng_state(self.generator.device)
        content = {
            "format": FORMAT,
            "history": history,
            "groups": state["param_groups"],
            "numbers": numbers,
            "schedule": {name: value for name, value in self.schedule.state_dict().items() if _plain(value)},
            "scaler": self.scaler.state_dict(),
        }
        owned = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
        }
        text = json.dumps(content)
        write_whole(path, safetensors.torch.save(owned, {KEY: text, DIGEST: _digest(text, owned)}))

    def restore(self, path: Path) -> list[tuple[float, ...]]:
        """Load a state; return the history it was saved with, empty if there is none that can be used."""
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
            text = metadata.get(KEY, "")
            undamaged = metadata.get(DIGEST) == _digest(text, tensors)
        except Exception:  # torch may raise anything about types and shapes that it does not have
            return []
        if not undamaged:
            return []
        content = json.loads(text)
        stored, expected = _below(tensors, "module"), self.module.state_dict()
        shapes = {name: value.shape for name, value in expected.items()}
        if content["format"] != FORMAT or {name: value.shape for name, value in stored.items()} != shapes:
            return []
        self.module.load_state_dict(stored)
        slots: dict[int, dict[str, Any]] = {}
        for name, value in [*_below(tensors, "optimizer").items(), *content["numbers"].items()]:
            index, _, slot = name.partition(".")
            slots.setdefault(int(index), {})[slot] = value
        self.optimizer.load_state_dict({"state": slots, "param_groups": content["groups"]})
        self._lay_out()
        self.schedule.load_state_dict(content["schedule"])
        if content["scaler"]:
            self.scaler.load_state_dict(content["scaler"])
        self.generator.set_state(tensors["generator"])
        torch.set_rng_state(tensors["global"])
        if "cuda" in tensors:
            torch.cuda.set_rng_state(tensors["cuda"], self.generator.device)
        history: list[tuple[float, ...]] = content["history"]
        return history

    def _lay_out(self) -> None:
        """Lay what the optimizer keeps of a parameter out in memory like the parameter.

        Files hold tensors row by row, parameters may lie channels-last, and fused optimizers go through the memory of
        both alike.
        """
        for parameter, slots in self.optimizer.state.items():
            for name, value in slots.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    slots[name] = torch.empty_like(parameter).copy_(value)


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    hasher = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        hasher.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}


def _plain(value: object) -> bool:
    """Return whether JSON can hold it; a schedule's functions are made again."""
    return (
        value is None
        or isinstance(value, int | float | str)
        or (isinstance(value, list) and all(part is None or isinstance(part, int | float) for part in value))
    )
