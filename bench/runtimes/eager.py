"""Eager PyTorch: the artifact's module is called as it is, and its packed file is what one deploys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.core.errors import CheckpointError
from bench.core.variant_key import EAGER
from bench.results.machine import Machine
from bench.runtimes.base import RUNTIMES, Built, Executable, Runtime, Source, Stored
from bench.runtimes.deployment import Deployed
from bench.techniques.base import Artifact, Technique

if TYPE_CHECKING:
    from bench.core.inputs import Inputs


class EagerExecutable:
    """An artifact that calls itself."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact

    @property
    def input_dtype(self) -> str:
        """As the artifact has it."""
        return self.artifact.input_dtype

    def outputs(self, inputs: Inputs) -> Any:
        """Return what the forward pass returns."""
        return inputs.call(self.artifact.forward)

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the forward pass with its arguments."""
        return inputs.bind(self.artifact.forward)


class Eager(Runtime):
    """PyTorch without a compiler; the default. A runtime that calls modules in another way overrides ``execute``."""

    name = EAGER
    summary: ClassVar[str] = "PyTorch as it is, without a compiler; its file is ours, packed"

    def lacks(self, technique: Technique) -> str | None:
        """Return why PyTorch has no module for it."""
        return technique.not_on_eager or None

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Return what keeps torch's own kernels from executing it here."""
        return technique.unsupported_reason(device, engine, machine.quantized_engines)

    def execute(self, artifact: Artifact) -> Executable:
        """Return the artifact as it is: torch's threads are set for the whole process."""
        return EagerExecutable(artifact)

    def build(self, source: Source, path: Path) -> Built:
        """Apply the technique and pack the module; one that cannot be packed is built by each process."""
        from bench.storage import packed

        artifact = source.convert()
        executable = self.execute(artifact)
        try:
            file = packed.pack(artifact.module, path, source.origin)
        except CheckpointError as error:
            return Built(executable, None, artifact, notes=(f"no packed file: {error}",))
        return Built(executable, file.file_bytes, artifact, file)

    def load(self, stored: Stored) -> Executable:
        """Rebuild the artifact from the packed file alone."""
        return self.execute(stored.rebuild())

    def deploy(self, stored: Stored, artifact: Artifact | None, example: Inputs, folder: Path) -> Deployed:
        """Write a file of torch's own: a packed one needs quantbench."""
        from bench.runtimes.graphs import torch_files

        if artifact is None:
            raise ValueError("eager deploys what this process has built")
        return torch_files.save(artifact, example, folder, stored.threads, stored.engine)


RUNTIMES.add(Eager())
