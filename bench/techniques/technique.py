"""What a technique is: a way to make a model smaller, before or after its training.

Like tasks, techniques are declared without torch; ``convert`` imports it, in the variant's own process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from tasks.registry import Registry
from tasks.task import Precision

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Context:
    """What a technique may know of the place where its variant will run."""

    device: torch.device
    engine: str
    """The quantized engine, already set."""
    isa: frozenset[str]
    """As in ``bench.result.Machine.isa``."""
    calibration: Callable[[], Tensor]
    """Returns float32 inputs of training examples, batch first."""


@dataclass(frozen=True)
class Variant:
    """A model after a technique."""

    module: nn.Module
    """What is saved and counted."""
    forward: Callable[[Tensor], Tensor]
    """What is called and timed: inputs of ``input_dtype``, batch first, to logits ``(batch, classes)``.

    Variants are copied to lay them out anew in memory: use ``functools.partial`` over the module, not a closure,
    which a copy would share.
    """
    input_dtype: str = "float32"
    """The name of a torch dtype."""
    notes: tuple[str, ...] = field(default=())
    """What a reader must know to judge the figures."""


class Technique(ABC):
    """One way to make a model smaller."""

    name: ClassVar[str]
    scheme: ClassVar[str]
    """The lab's Q column; a key of ``bench.schemes.SCHEMES``."""
    summary: ClassVar[str]
    """One line for ``bench list``."""
    dtype_name: ClassVar[str]
    """The lab's dtype column."""

    def dtype(self, device: str) -> str:
        """Return the lab's dtype column for this device."""
        return self.dtype_name

    def training_precision(self, device: str) -> Precision:
        """Return how the weights it starts from are trained."""
        return "float32"

    def obstacle(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Return why the technique cannot work here at all, with the way out; ``None`` if it can."""
        return None

    @abstractmethod
    def convert(self, model: nn.Module, context: Context) -> Variant:
        """Return the variant of a trained float32 model, which may be changed in place.

        Raises ``UnsupportedError`` where it cannot treat this model.
        """


TECHNIQUES: Registry[Technique] = Registry("technique", "bench.techniques", "quantbench.techniques")

T = TypeVar("T", bound=Technique)


def technique(cls: type[T]) -> type[T]:
    """Register a technique under its class's name."""
    TECHNIQUES.add(cls())
    return cls


def quantized_engine_obstacle(device: str, engine: str, engines: list[str]) -> str | None:
    """Return why torch's quantized kernels cannot run: they exist on CPUs alone and need an engine."""
    if device != "cpu":
        return f"torch's quantized kernels run on the CPU only, not on {device}; run with --device cpu"
    if engine not in engines:
        others = ", ".join(engines)
        return f"this torch has no {engine} engine; try --engine with one of: {others or 'none here'}"
    return None
