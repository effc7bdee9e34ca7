"""What a technique is: a way to make a model smaller, before or after its training.

Like tasks, techniques are declared without torch; ``convert`` imports it, in the variant's own process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from bench.core.errors import RequestError
from bench.tasks.registry import Registry
from bench.tasks.task import Precision

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from bench.core.inputs import Inputs


@dataclass(frozen=True)
class Context:
    """What a technique may know of the place where its variant will run."""

    device: torch.device
    engine: str
    """The quantized engine, already set."""
    isa: frozenset[str]
    """As in ``bench.results.machine.Machine.isa``."""
    calibration: Callable[[], Tensor | Sequence[Inputs]]
    """Returns batches of training examples, as the float32 model takes them; of one tensor, the batch itself."""
    as_given: bool = False
    """Whether batches must keep their size: a user's model may be written for one."""
    own_training: bool = True
    """Whether the weights come from the training that the technique asks for; a user's model is as it is."""
    layers: frozenset[str] | None = None
    """The names of the layers that may change; ``None`` for all. Techniques that have no ``supports_layer_subset`` are
    given none."""

    def calibration_batches(self, size: int) -> Iterator[Inputs]:
        """Yield what to calibrate with: batches as the user gave them, or at most ``size`` examples at a time."""
        from bench.core.inputs import Inputs

        given = self.calibration()
        for batch in map(Inputs.of, given if isinstance(given, Sequence) else [given]):
            yield from [batch] if self.as_given else batch.split(size)


@dataclass(frozen=True)
class Artifact:
    """A model after a technique."""

    module: nn.Module
    """What is saved and counted."""
    forward: Callable[..., Any]
    """What is called and timed: inputs of ``input_dtype``, batch first, to logits ``(batch, classes)``; a user's model
    may take several and return anything that holds tensors.

    A user's evaluation gets a copy of it: use ``functools.partial`` over the module, not a closure, which a copy would
    share.
    """
    input_dtype: str = "float32"
    """The name of a torch dtype."""
    notes: tuple[str, ...] = field(default=())
    """What a reader must know to judge the figures."""
    simulated: bool = False
    """Whether float arithmetic simulates low precision: the latency is not that of low-precision hardware."""


class Technique(ABC):
    """One way to make a model smaller."""

    name: ClassVar[str]
    scheme: ClassVar[str]
    """The scheme, column Q of the results table; a key of ``bench.results.schemes.SCHEMES``."""
    summary: ClassVar[str]
    """One line for ``bench list``."""
    dtype_name: ClassVar[str]
    """The data type, column dtype of the results table."""
    not_on_eager: ClassVar[str] = ""
    """Why no module of PyTorch's computes so, with the way out; empty if one does."""
    needs_options: ClassVar[bool] = False
    """Whether it must be given options behind a colon."""

    def dtype(self, device: str) -> str:
        """Return the data type on this device."""
        return self.dtype_name

    def training_precision(self, device: str) -> Precision | None:
        """Return how the weights it starts from are best trained; ``None`` for as the model's recipe has it.

        Where a CPU has no bfloat16 arithmetic they are trained in float32: ``bench.running.training_precision``.
        """
        return None

    @property
    def grammar(self) -> str:
        """What may stand behind a colon after its name, in one line."""
        return ""

    @property
    def supports_layer_subset(self) -> bool:
        """Whether it follows a plain training and ``convert`` respects ``Context.layers``."""
        return False

    @property
    def named_layers(self) -> tuple[str, ...]:
        """The layers that its name mentions; a model must have them."""
        return ()

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the names of the weight layers of a float32 model that it would change, in the model's order.

        Empty for techniques without ``supports_layer_subset``.
        """
        return []

    @property
    def trained_as(self) -> str:
        """The name of the technique that takes part in the training it starts from; empty if none does."""
        return ""

    def hyperparameters(self, network: str, hyperparameters: Mapping[str, object]) -> Mapping[str, object]:
        """Return the network's hyperparameters as this technique trains it."""
        return hyperparameters

    def with_options(self, text: str) -> Technique:
        """Return the technique with the options behind the colon; raises ``RequestError``."""
        raise RequestError(
            f"the technique {self.name} takes no options, not {text!r}; leave out the colon and what follows."
        )

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return a network in the form in which it is trained, if the technique takes part; it may change in place."""
        return network

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Return why the technique cannot work here at all, with the way out; ``None`` if it can."""
        return None

    @abstractmethod
    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Return the variant of a trained float32 model, which may be changed in place.

        Raises ``UnsupportedError`` if it cannot convert this model.
        """


class Techniques(Registry[Technique]):
    """Techniques by name, with or without options: ``fp32``, ``dorefa:w2a2``."""

    def get(self, name: str) -> Technique:
        """Return the technique called ``name``; raises ``UnknownNameError``, or ``RequestError`` for its options."""
        family, colon, options = name.partition(":")
        technique = super().get(family)
        return technique.with_options(options) if colon or technique.needs_options else technique


TECHNIQUES = Techniques("technique", "bench.techniques", "quantbench.techniques")

T = TypeVar("T", bound=Technique)


def technique(cls: type[T]) -> type[T]:
    """Register a technique under its class's name; one that takes options under its family's."""
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
