"""A technique applied to a model, so that what it cannot do is a reason and what it left undone is no row."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from bench.core.errors import QuantbenchError, UnsupportedError
from bench.core.tensors import Inputs, cast
from bench.measuring import params
from bench.techniques.base import TECHNIQUES, Context, Variant


class Material(ABC):
    """What a technique needs beside the model itself, and what is to be said of the two together."""

    own_training = True
    """Whether the weights come from the training that the technique asks for."""

    @abstractmethod
    def calibration(self) -> Sequence[Inputs]:
        """Return batches that a post-training technique may look at."""

    def require_changed(self, variant: Variant, layers: int) -> None:  # noqa: B027 — a task's models are known
        """Raise ``UnsupportedError`` if the technique left all of the model's weight ``layers`` as they were."""

    def notes(self, variant: Variant) -> tuple[str, ...]:
        """Return what a reader must know of where things came from, and of how the variant runs."""
        return ()

    def why_unsupported(self, error: Exception) -> str | None:
        """Return why an exception means that the technique cannot treat the model; ``None`` if it means a fault."""
        if isinstance(error, NotImplementedError | RuntimeError) and "not implemented for" in str(error):
            return f"this torch cannot do it: {str(error).splitlines()[0]}"
        return None


def convert(
    technique: str,
    model: Callable[[], nn.Module],
    material: Material,
    example: Inputs,
    *,
    device: torch.device,
    engine: str,
    isa: frozenset[str],
    converted: Callable[[], None] = lambda: None,
) -> tuple[Variant, int]:
    """Return what ``technique`` made of a float32 model, and how many weight layers that had.

    The variant has answered the ``example`` once; ``converted`` is called before that, when nothing here holds the
    float32 model any more. Raises ``UnsupportedError`` where the technique cannot treat the model.
    """

    def batches() -> list[Inputs]:
        return [tuple(value.to(device) for value in batch) for batch in material.calibration()]

    def calibration() -> Tensor:
        found = batches()
        if any(len(batch) > 1 for batch in found):
            raise UnsupportedError("it is calibrated with one tensor, and this model takes several")
        return torch.cat([batch[0] for batch in found])

    context = Context(device, engine, isa, calibration, batches, material.own_training)
    float32 = model()
    layers = params.count_weight_layers(float32)
    with _explained(material):
        variant = TECHNIQUES.get(technique).convert(float32.to(device), context)
    del float32
    converted()
    with torch.inference_mode(), _explained(material):
        variant.forward(*cast(example, device, getattr(torch, variant.input_dtype)))
    material.require_changed(variant, layers)
    return variant, layers


@contextlib.contextmanager
def _explained(material: Material) -> Iterator[None]:
    """Let a fault that is the technique's inability with this model be an ``UnsupportedError``."""
    try:
        yield
    except QuantbenchError:
        raise
    except Exception as error:
        if reason := material.why_unsupported(error):
            raise UnsupportedError(reason) from error
        raise
