"""The network as one generated Python function, made by torch.fx."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from bench.core.errors import UnsupportedError
from bench.runtimes.base import RUNTIMES, Executable
from bench.techniques.base import Artifact, Technique

if TYPE_CHECKING:
    from bench.core.tensors import Inputs
    from bench.results.machine import Machine


class Graph:
    """Executes what torch.fx can trace."""

    name = "graph"

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Return what keeps torch's own kernels from executing it here."""
        return technique.unsupported_reason(device, engine, machine.quantized_engines)

    def compile(self, artifact: Artifact, example: Inputs, threads: int) -> Executable:
        """Trace the module; calling and saving are as in eager."""
        from torch import fx

        from bench.runtimes.eager import EagerExecutable

        if artifact.forward is not artifact.module:
            raise UnsupportedError("torch.fx traces modules, and this technique calls its module through a function")
        try:
            traced = fx.symbolic_trace(artifact.module)
        except Exception as error:
            raise UnsupportedError(f"torch.fx cannot trace this model: {error}") from error
        return EagerExecutable(dataclasses.replace(artifact, module=traced, forward=traced))


RUNTIMES.add(Graph())
