"""A worker's part in the rounds of one batch size."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.core.errors import QuantbenchError, WorkerError
from bench.measuring.latency.rounds import Block
from bench.worker.process import Worker

SETTLE_S = 0.02
"""Pause after a block of several threads: an idle OpenMP pool spins on for a while and would disturb the next.

libgomp's spins 300,000 times by default, each of which takes up to 140 cycles: 14 ms at 3 GHz.
"""
FAILED = Block(float("nan"))


def settling(threads: int) -> Callable[[], None]:
    """Return what to do between blocks of so many threads."""
    return (lambda: time.sleep(SETTLE_S)) if threads > 1 else (lambda: None)


class RemoteParticipant:
    """A variant in its process; after a failure it reads NaN.

    ``fail`` is called with the failure, once; the other variants continue.
    """

    def __init__(self, worker: Worker, batch_size: int, fail: Callable[[Exception], None]) -> None:
        self._worker = worker
        self._batch_size = batch_size
        self._fail = fail
        self._failed = False

    def time(self, calls: int) -> Block:
        """Time one block."""
        if self._failed:
            return FAILED
        try:
            block: Block = self._worker.call("time", self._batch_size, calls)
        except (WorkerError, QuantbenchError) as error:
            self._failed = True
            self._fail(error)
            return FAILED
        return block
