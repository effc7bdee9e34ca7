"""Runtimes whose speed beside eager's is known, for the self-check; no user is offered them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.runtimes.base import RUNTIMES, Executable
from bench.runtimes.eager import Eager, EagerExecutable
from bench.techniques.base import Artifact

if TYPE_CHECKING:
    from bench.core.inputs import Inputs

AGAIN = "again"
"""Eager under another name."""
SLOWED = {"slower5": 0.05, "slower10": 0.1}
"""Eager with calls that take longer by so large a share."""
CALIBRATION_S = 0.02


class SlowedExecutable(EagerExecutable):
    """Waits after each call for a share of what a call takes."""

    def __init__(self, artifact: Artifact, share: float) -> None:
        super().__init__(artifact)
        self._share = share

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the forward pass with a wait after it, whose length follows from the fastest of some calls."""
        call = super().bind(inputs)
        delay_ns = round(self._share * _fastest_ns(call))

        def slowed() -> object:
            outputs = call()
            spin(delay_ns)
            return outputs

        return slowed


def spin(duration_ns: int) -> None:
    """Wait busily."""
    end = time.perf_counter_ns() + duration_ns
    while time.perf_counter_ns() < end:
        pass


def _fastest_ns(call: Callable[[], object]) -> int:
    import torch

    fastest, end = 10**12, time.perf_counter() + CALIBRATION_S
    with torch.inference_mode():
        call()
        while time.perf_counter() < end or fastest == 10**12:
            start = time.perf_counter_ns()
            call()
            fastest = min(fastest, time.perf_counter_ns() - start)
    return fastest


class Known(Eager):
    """Eager, slowed by a share."""

    hidden = True

    def __init__(self, name: str, share: float) -> None:
        self.name = name
        self._share = share

    def execute(self, artifact: Artifact) -> Executable:
        """Return the artifact, slowed if there is anything to slow."""
        return SlowedExecutable(artifact, self._share) if self._share else EagerExecutable(artifact)


for _name, _share in {AGAIN: 0.0, **SLOWED}.items():
    RUNTIMES.add(Known(_name, _share))
