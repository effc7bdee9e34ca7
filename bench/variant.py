"""What the command and the worker that holds a variant tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.result import Accuracy, Layers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.own.model import OwnRequest

VARIANT_HOST = "bench.variant_host:VariantHost"


@dataclass(frozen=True)
class VariantRequest:
    """Which variant to make, and of what."""

    task: str
    model: str
    technique: str
    dataset: Path
    checkpoint: Path
    packed: Path
    """Where its packed file goes."""
    device: str
    engine: str
    isa: frozenset[str]
    threads: int
    largest_batch: int
    """Of the batches that will be timed; peak memory is that of one of them."""
    own: OwnRequest | None = None
    """For a model of the user's own: where it comes from, in the place of ``dataset`` and ``checkpoint``."""


@dataclass(frozen=True)
class VariantFacts:
    """What is known of a variant before it is measured."""

    size_bytes: int
    packed_bytes: int | None
    """Not verified yet; ``None`` if it could not be packed."""
    bytes_by_dtype: dict[str, int]
    params: int
    layers: Layers
    macs: int | None
    """``None`` where they are not known."""
    peak_memory_bytes: int | None
    fingerprint: str
    """Of the logits of a few test examples; the packed file must give the same."""
    simulated: bool
    bit_operations: float | None
    """See ``bench.result.Row``."""
    scores: dict[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """The answers to the whole test set, in its order."""

    accuracy: Accuracy
    answers: NDArray[np.int16]
    """The class with the largest logit."""
    right: NDArray[np.bool_]

    @property
    def right_bits(self) -> bytes:
        """Which are right, eight to a byte."""
        import numpy as np

        return np.packbits(self.right).tobytes()
