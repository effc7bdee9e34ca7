"""What ``bench inspect`` found: a low-bit technique's layers, and what some of them put out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    """How often values lie between edges."""

    counts: Sequence[int]
    edges: Sequence[float]
    """One more than counts."""


@dataclass(frozen=True)
class LayerInspection:
    """The weights of one layer before and after quantization."""

    name: str
    weights: int
    values: Sequence[float]
    """The different values after it, ascending, of the whole layer: a scale a channel makes more of them than codes."""
    bits: int
    sqnr_db: float
    """Signal-to-quantization-noise ratio; see ``bench.measuring.layer_weights.sqnr_db``."""
    fitted_sqnr_db: float
    """The same after the common factor that fits best, which the BatchNorm behind a layer makes up for."""
    before: Histogram
    after: Histogram
    clip: float | None = None
    """α, above which PACT and its kin clip the layer's inputs; ``None`` where none is learned."""

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(self.values)


@dataclass(frozen=True)
class OutputStatistics:
    """What one layer put out for some test examples, or was given."""

    name: str
    shape: Sequence[int]
    """Of its first call."""
    least: float
    mean: float
    std: float
    largest: float
    distinct: int
    """Different values."""


@dataclass(frozen=True)
class Inspection:
    """One model after one technique."""

    layers: Sequence[LayerInspection]
    described: Sequence[str]
    """The layers whose values are listed."""
    outputs: Sequence[OutputStatistics]
    """Of the same layers."""
    scores: Mapping[str, float]
    """By rule."""
    activations: Sequence[OutputStatistics] = ()
    """The inputs of those among them that quantize theirs, as they are multiplied by the weights."""
