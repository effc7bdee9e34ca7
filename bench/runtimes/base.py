"""What a runtime is: it makes the file that one deploys, loads it, and executes it.

Runtimes are declared without torch, like techniques; ``build`` and ``load`` import what they need, in the variant's own
process. A file is built once and loaded in every process that is timed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from bench.core.errors import UnsupportedError
from bench.core.variant_key import EAGER
from bench.results.machine import Machine
from bench.results.row import Int8Operations
from bench.runtimes.deployment import Deployed
from bench.storage.graph_cache import GraphCache
from bench.tasks.registry import Registry
from bench.techniques.base import Artifact, Technique

if TYPE_CHECKING:
    from torch import nn

    from bench.core.inputs import Inputs
    from bench.storage.packed import Origin, Packed


class Executable(Protocol):
    """A variant that can be called and timed."""

    @property
    def input_dtype(self) -> str:
        """The name of the torch dtype that floating-point inputs must have."""
        ...

    def outputs(self, inputs: Inputs) -> Any:
        """Return what the model returns for a batch, as tensors; for accuracy and verification."""
        ...

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the timed call on these inputs: no argument is handled inside it."""
        ...


@dataclass(frozen=True)
class Source:
    """What a runtime makes its file of: the trained model before the technique, and after it."""

    technique: Technique
    convert: Callable[[], Artifact]
    """Applies the technique to the model, as PyTorch executes it; raises ``UnsupportedError``."""
    model: Callable[[], nn.Module]
    """Returns the trained float32 model, in eval mode, on the CPU."""
    inputs: Callable[[int], Inputs]
    """Returns a batch of so many examples for the model, on the CPU."""
    calibration: Callable[[], Sequence[Inputs]]
    """Returns batches of training examples, on which the ranges of a static technique are observed."""
    origin: Origin
    """What a packed file says of the variant."""
    cache: Callable[[], GraphCache]
    """Returns what keeps what takes long to make of this model."""
    isa: frozenset[str]
    threads: int
    as_given: bool = False
    """Whether batches to calibrate on keep their size, as in ``bench.techniques.base.Context``."""
    batch_sizes: tuple[int, ...] = (1,)
    """What will be timed, for graphs that take batches of one size only."""

    def calibration_batches(self, size: int) -> Iterator[Inputs]:
        """Yield what to calibrate on, row after row: batches as the user gave them, or of ``size`` examples."""
        for batch in self.calibration():
            for part in batch.split(batch.batch_size if self.as_given else size):
                yield part.changed(lambda value: value.contiguous())


@dataclass(frozen=True)
class Stored:
    """A file that was built, as the process finds it that is to execute it."""

    technique: Technique
    path: Path
    """The file, or the folder of several."""
    rebuild: Callable[[], Artifact]
    """Returns the artifact of a packed file; raises ``CheckpointError``."""
    threads: int
    cores: Sequence[int] = ()
    """The cores that the process will be tied to while it is timed; none while it is built and verified."""
    engine: str = ""
    """Of torch's int8 kernels."""


@dataclass(frozen=True)
class Built:
    """A variant that was just made, and its file."""

    executable: Executable
    file_bytes: int | None
    """All bytes that one deploys; ``None`` if the variant could not be stored, so that each process builds it."""
    artifact: Artifact | None = None
    """What PyTorch executes; ``None`` for a graph of the runtime's own."""
    packed: Packed | None = None
    """What was packed, where the file is a packed one."""
    int8_operations: Int8Operations | None = None
    """Of an int8 variant whose graph is the runtime's own."""
    notes: tuple[str, ...] = ()
    """What a reader must know to judge the figures, beside the artifact's own notes."""


class Runtime(ABC):
    """What executes variants."""

    name: str
    """What stands behind the ``@`` of a variant."""
    summary: ClassVar[str] = ""
    """One line for ``bench list``."""
    hidden: ClassVar[bool] = False
    """Whether no user is offered it."""

    def lacks(self, technique: Technique) -> str | None:
        """Return why it has no such technique on any machine; ``None`` if it has."""
        return None

    def missing(self) -> str | None:
        """Return what this machine lacks for it, with the way out; ``None`` if nothing."""
        return None

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Return why it cannot execute what the technique makes here, with the way out; ``None`` if it can.

        It is asked before anything is trained, in a process without torch.
        """
        if device != "cpu":
            return f"quantbench has {self.name} on the CPU only, not on {device}; run with --device cpu"
        return self.lacks(technique) or self.missing()

    @abstractmethod
    def build(self, source: Source, path: Path) -> Built:
        """Write the file that one deploys to ``path``, which may become a folder, and return what executes it.

        Raises ``UnsupportedError`` for a model that it cannot take.
        """

    @abstractmethod
    def load(self, stored: Stored) -> Executable:
        """Return what executes a file that ``build`` wrote, in a process that has built nothing.

        A runtime that looks at the cores it may use ties the process to ``stored.cores`` first.
        """

    def deploy(self, stored: Stored, artifact: Artifact | None, example: Inputs, folder: Path) -> Deployed:
        """Write what one deploys into ``folder``, loadable without quantbench, and say how it is loaded.

        It is asked in the process that built the file. ``artifact`` is what PyTorch executes, if it does; ``example``
        has two rows or more, as the executable takes them. Raises ``UnsupportedError`` where there is no such file.
        """
        raise UnsupportedError(
            f"quantbench knows no file of {self.name} that runs without it; leave --runtime out for a packed file"
        )


class Runtimes(Registry[Runtime]):
    """Runtimes by name."""

    def offered(self) -> Iterator[Runtime]:
        """Yield those that a user may choose, the default first."""
        shown = (runtime for runtime in self if not runtime.hidden)
        yield from sorted(shown, key=lambda runtime: (runtime.name != EAGER, runtime.name))


RUNTIMES = Runtimes("runtime", "bench.runtimes", "quantbench.runtimes")
