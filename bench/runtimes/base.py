"""What a runtime is: it executes what a technique made, and says where it cannot.

Runtimes are declared without torch, like techniques; ``compile`` imports what it needs, in the variant's own process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.results.machine import Machine
from bench.tasks.registry import Registry
from bench.techniques.base import Artifact, Technique

if TYPE_CHECKING:
    from bench.core.tensors import Inputs


class Executable(Protocol):
    """A variant that can be called, timed and saved."""

    def outputs(self, inputs: Inputs) -> Any:
        """Return what the model returns for a batch, as tensors; for accuracy and verification."""
        ...

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the timed call on these inputs: no argument is handled inside it."""
        ...

    def save(self, folder: Path) -> int:
        """Write the file that one deploys into ``folder`` and return its bytes."""
        ...


class Runtime(Protocol):
    """What executes variants."""

    @property
    def name(self) -> str:
        """What stands behind the ``@`` of a variant."""
        ...

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Return why it cannot execute what the technique makes here, with the way out; ``None`` if it can."""
        ...

    def compile(self, artifact: Artifact, example: Inputs, threads: int) -> Executable:
        """Return the executable of an artifact, whose inputs are like ``example``.

        Raises ``UnsupportedError`` for a model that it cannot take.
        """
        ...


RUNTIMES: Registry[Runtime] = Registry("runtime", "bench.runtimes", "quantbench.runtimes")
