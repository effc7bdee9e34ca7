"""A computation that never changes, timed beside the variants of every model, which relative latencies refer to.

A shared machine may run everything a third slower for a quarter of an hour, so two runs of one model cannot be
compared in seconds. What slows a row slows the reference workload in the same rounds too; their ratio, the row's
*relative latency*, is what ``bench compare`` holds against that of another run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.core.errors import QuantbenchError, WorkerError
from bench.measuring.latency.blocks import WarmUp
from bench.measuring.latency.rounds import Name, Participant
from bench.results.settings import Settings
from bench.running.participant import RemoteParticipant
from bench.worker.process import Worker

NAME = "the reference workload"
"""Among the participants; no technique is called so."""
REFERENCE_HOST = "bench.worker.reference_host:ReferenceHost"


class ReferenceWorkload:
    """The reference beside one model in one pass; if its process fails, that pass goes without."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._worker: Worker | None = None

    def start(self, batch_sizes: Sequence[int]) -> Mapping[int, WarmUp]:
        """Warm up in a fresh process; return how that went by batch size, nothing if it failed."""
        settings = self._settings
        self._worker = Worker(REFERENCE_HOST, settings.timeout_s)
        try:
            self._worker.call("build", settings.threads, settings.device)
            warm_ups: dict[int, WarmUp] = self._worker.call("warm_up", batch_sizes, settings.pinned_cores)
        except (WorkerError, QuantbenchError):
            self.close()
            return {}
        return warm_ups

    def participants(self, batch_size: int) -> Mapping[Name, Participant]:
        """Return its part in the rounds of one batch size; nothing where it failed."""
        if self._worker is None:
            return {}
        return {NAME: RemoteParticipant(self._worker, batch_size, lambda error: self.close())}

    def close(self) -> None:
        """End its process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
