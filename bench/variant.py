"""What the command and the worker that holds a variant tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.result import Layers

VARIANT_HOST = "bench.variant_host:VariantHost"


@dataclass(frozen=True)
class VariantRequest:
    """Which variant to make, and of what."""

    task: str
    model: str
    technique: str
    dataset: Path
    checkpoint: Path
    device: str
    engine: str
    isa: frozenset[str]
    threads: int


@dataclass(frozen=True)
class VariantFacts:
    """What is known of a variant before it runs."""

    size_bytes: int
    params: int
    layers: Layers
    notes: tuple[str, ...]
