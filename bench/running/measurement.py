"""One variant while it is measured: its process, and what is known of it so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.core.errors import CheckpointError, QuantbenchError, UnsupportedError, UserModelError, WorkerError
from bench.measuring.latency.rounds import Block
from bench.results.evaluation import Evaluation
from bench.results.run import Agreement, Latency, RelativeLatency, Row, Speedup, Status
from bench.techniques.base import Technique
from bench.worker.messages import VariantFacts, VariantRequest
from bench.worker.process import Worker
from bench.worker.user.model import UserEvaluation

SETTLE_S = 0.03
"""Pause after a block of several threads: an idle OpenMP pool spins on for a while and would disturb the next.

libgomp's spins 300,000 times by default, each of which takes up to 140 cycles.
"""
FAILED = Block(float("nan"))


def settling(threads: int) -> Callable[[], None]:
    """Return what to do between blocks of so many threads."""
    return (lambda: time.sleep(SETTLE_S)) if threads > 1 else (lambda: None)


@dataclass
class VariantUnderTest:
    """One variant while it is measured."""

    technique: Technique
    request: VariantRequest
    unsupported_reason: Exception | None
    """Why it cannot be had, known before trying: unsupported here, or a training that failed."""
    worker: Worker | None = None
    status: Status = "ok"
    reason: str = ""
    facts: VariantFacts | None = None
    verified: bool = False
    """Whether its packed file gave the same logits in a fresh process."""
    notes: list[str] = field(default_factory=list)
    evaluation: Evaluation | None = None
    user_evaluation: UserEvaluation | None = None
    """In its place, of a user's model."""
    output_error: float | None = None
    agreement: Agreement | None = None
    latency: dict[int, Latency] = field(default_factory=dict)
    speedup: dict[int, Speedup] = field(default_factory=dict)
    relative_latency: dict[int, RelativeLatency] = field(default_factory=dict)
    _process: tuple[str, float] = ("", 0.0)
    """What its worker is made of."""

    @property
    def name(self) -> str:
        """The technique's."""
        return self.technique.name

    @property
    def simulated(self) -> bool:
        """Whether its latency is that of a simulation, which nobody needs to know precisely."""
        return self.facts is not None and self.facts.simulated

    def start(self, host: str, timeout_s: float) -> None:
        """Give the variant its process, or the reason why it has none."""
        if self.unsupported_reason is not None:
            self.fail(self.unsupported_reason)
        else:
            self._process = (host, timeout_s)
            self.worker = Worker(host, timeout_s)

    def start_again(self) -> None:
        """Let a fresh process, which holds nothing yet, take the place of the living one."""
        self.close()
        self.worker = Worker(*self._process)

    def fail(self, error: Exception) -> None:
        """Take the variant out of the measurement; what was measured of it before stands."""
        if isinstance(error, CheckpointError | UserModelError):  # concerns every variant, and the user can put it right
            raise error
        if self.status != "ok":  # what follows from a failure does not hide it
            return
        self.status = "unsupported" if isinstance(error, UnsupportedError) else "failed"
        self.reason = str(error)
        self.close()

    def close(self) -> None:
        """End the variant's process."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def row(self) -> Row:
        """Return all that was measured."""
        facts = self.facts
        judged = self.evaluation or self.user_evaluation
        return Row(
            task=self.request.task,
            model=self.request.model,
            technique=self.name,
            scheme=self.technique.scheme,
            dtype=self.technique.dtype(self.request.device),
            status=self.status,
            reason=self.reason,
            notes=[*(facts.notes if facts else ()), *self.notes, *_cold(self.latency)],
            simulated=self.simulated,
            bit_operations=facts.bit_operations if facts else None,
            scores=facts.scores if facts else {},
            size_bytes=facts.size_bytes if facts else None,
            packed_bytes=facts.packed_bytes if facts and self.verified else None,
            bytes_by_dtype=facts.bytes_by_dtype if facts and self.verified else {},
            params=facts.params if facts else None,
            layers=facts.layers if facts else None,
            macs=facts.macs if facts else None,
            peak_memory_bytes=facts.peak_memory_bytes if facts else None,
            accuracy=judged.accuracy if judged else None,
            right=self.evaluation.right_bits if self.evaluation else None,
            accuracy_share=self.user_evaluation.share if self.user_evaluation else None,
            agreement=self.agreement,
            output_error=self.output_error,
            latency=self.latency,
            speedup=self.speedup,
            relative_latency=self.relative_latency,
        )


def _cold(latency: dict[int, Latency]) -> Sequence[str]:
    cold = [str(batch_size) for batch_size, value in latency.items() if not value.warm]
    return [f"the warm-up did not settle at batch {' and '.join(cold)}"] if cold else []


class RemoteParticipant:
    """A variant's part in the rounds of one batch size, in its process; after a failure it reads NaN.

    ``fail`` hears of the failure, once; the other variants go on.
    """

    def __init__(self, worker: Worker, batch_size: int, fail: Callable[[Exception], None]) -> None:
        self._worker = worker
        self._batch_size = batch_size
        self._fail = fail
        self._failed = False

    def begin_reallocation(self) -> None:
        """Start to lay the variant out anew in memory."""
        self._try(lambda: self._worker.send("reallocate", self._batch_size))

    def end_reallocation(self) -> None:
        """Wait until that is done."""
        self._try(self._worker.receive)

    def time(self, calls: int) -> Block:
        """Time one block."""
        block: Block = self._try(lambda: self._worker.call("time", self._batch_size, calls)) or FAILED
        return block

    def _try(self, step: Callable[[], Any]) -> Any:
        if self._failed:
            return None
        try:
            return step()
        except (WorkerError, QuantbenchError) as error:
            self._failed = True
            self._fail(error)
            return None
