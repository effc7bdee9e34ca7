"""A finding: what some rows show, with the figures that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.results.row import Row

Kind = Literal[
    "model axis",
    "batch axis",
    "size axis",
    "accuracy axis",
    "surprisingly fast",
    "surprisingly slow",
    "surprising accuracy",
    "nothing surprising",
    "weights in the cache",
    "another runtime",
    "which layers",
    "synthetic data",
    "smallest",
    "hardly smaller",
    "int8 nowhere slower",
    "int8 slower",
    "technique slower",
    "one int8 ahead",
    "neither int8 ahead",
    "closer answers",
    "gains with the batch",
    "loses with the batch",
    "overhead shared",
    "accuracy scale",
    "accuracy differs",
    "accuracies differ less",
    "accuracy undecided",
    "answers alike",
    "per-channel weights",
    "repeat with seeds",
    "more test examples",
    "more processes",
    "batch sizes between",
    "another seed",
]
Cause = Literal[
    "layers left in float32",
    "no VNNI",
    "no float16 arithmetic",
    "no bfloat16 arithmetic",
    "weights cast",
    "small model",
]
"""Why a variant is likely slower. Causes are not measured: each speaks for itself in the row or the machine."""


@dataclass(frozen=True)
class Finding:
    """What some rows show."""

    kind: Kind
    rows: tuple[Row, ...] = ()
    """The rows it is about, the first before all."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence on it says, by name; seconds, bytes and shares."""
