"""Eager PyTorch: the artifact's module is called as it is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.variant_key import EAGER
from bench.results.machine import Machine
from bench.runtimes.base import RUNTIMES
from bench.techniques.base import Artifact, Technique

if TYPE_CHECKING:
    from bench.core.tensors import Inputs


class EagerExecutable:
    """An artifact that calls itself."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact

    def outputs(self, inputs: Inputs) -> Any:
        """Return what the forward pass returns."""
        return self.artifact.forward(*inputs)

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the forward pass with its arguments."""
        return functools.partial(self.artifact.forward, *inputs)

    def save(self, folder: Path) -> int:
        """Write ``torch.save(state_dict)``."""
        import torch

        path = folder / "state_dict.pt"
        torch.save(self.artifact.module.state_dict(), path)
        return path.stat().st_size


class Eager:
    """PyTorch without a compiler; the default."""

    name = EAGER

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Return what keeps torch's own kernels from executing it here."""
        return technique.unsupported_reason(device, engine, machine.quantized_engines)

    def compile(self, artifact: Artifact, example: Inputs, threads: int) -> EagerExecutable:
        """Return the artifact as it is: torch's threads are set for the whole process."""
        return EagerExecutable(artifact)


RUNTIMES.add(Eager())
