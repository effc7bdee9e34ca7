"""One variant while it is measured: its process, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.core.errors import CheckpointError, UnsupportedError, UserModelError
from bench.core.variant_key import VariantKey
from bench.results.evaluation import Evaluation
from bench.results.latency import Latency, Speedup
from bench.results.row import Agreement, Row, Status
from bench.techniques.base import Technique
from bench.worker.messages import LoadedFacts, VariantFacts, VariantRequest
from bench.worker.process import Worker, close_all


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
    loaded: LoadedFacts | None = None
    """What a fresh process found that loaded its file to the same outputs; ``None`` if none did."""
    notes: list[str] = field(default_factory=list)
    evaluation: Evaluation | None = None
    output_error: float | None = None
    agreement: Agreement | None = None
    latency: dict[int, Latency] = field(default_factory=dict)
    speedup: dict[int, Speedup] = field(default_factory=dict)
    before: Row | None = None
    """What an interrupted run has measured of it."""

    @property
    def key(self) -> VariantKey:
        """What tells it from the model's other variants."""
        return self.request.key

    @property
    def simulated(self) -> bool:
        """Whether its latency is that of a simulation, for which no precision is required."""
        return self.facts is not None and self.facts.simulated

    @property
    def verified(self) -> bool:
        """Whether its file gave the same outputs in a fresh process."""
        return self.loaded is not None

    def start(self, host: str, timeout_s: float) -> None:
        """Give the variant its process, or the reason why it has none."""
        if self.status != "ok":
            return
        if self.unsupported_reason is not None:
            self.fail(self.unsupported_reason)
        else:
            self._process = (host, timeout_s)
            self.worker = Worker(host, timeout_s)

    def take_up(self, row: Row) -> None:
        """Go on from the row of an interrupted run: what it measured stands."""
        self.before = row
        if row.status != "noisy":  # which is decided anew, with all passes
            self.status, self.reason = row.status, row.reason
        self.latency, self.speedup = dict(row.latency), dict(row.speedup)

    def start_again(self) -> Worker:
        """Let a fresh process, which holds nothing yet, take the place of the one before."""
        self.close()
        self.worker = Worker(*self._process)
        return self.worker

    def fail(self, error: Exception) -> None:
        """Take the variant out of the measurement; what was measured of it before stands."""
        if isinstance(error, CheckpointError | UserModelError):  # concerns every variant, and the user can fix it
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
        if self.before is not None:
            now = {"status": self.status, "reason": self.reason, "latency": self.latency, "speedup": self.speedup}
            return self.before.model_copy(update=now)
        facts, loaded, evaluation = self.facts, self.loaded, self.evaluation
        return Row(
            task=self.request.workload.task,
            model=self.request.workload.model,
            technique=self.key.technique,
            runtime=self.key.runtime,
            scheme=self.technique.scheme,
            dtype=self.technique.dtype(self.request.device),
            status=self.status,
            reason=self.reason,
            notes=[*(facts.notes if facts else ()), *self.notes],
            simulated=self.simulated,
            bit_operations=facts.bit_operations if facts else None,
            scores=facts.scores if facts else {},
            size_bytes=facts.size_bytes if facts else None,
            deploy_bytes=facts.deploy_bytes if facts and loaded else None,
            packed_bytes=facts.packed_bytes if facts and loaded else None,
            bytes_by_dtype=facts.bytes_by_dtype if facts and loaded else {},
            params=facts.params if facts else None,
            layers=facts.layers if facts else None,
            treated=facts.treated if facts else None,
            int8_operations=facts.int8_operations if facts else None,
            macs=facts.macs if facts else None,
            peak_memory_bytes=loaded.peak_memory_bytes if loaded else None,
            build_s=facts.build_s if facts else None,
            load_s=loaded.load_s if loaded else None,
            first_answer_s=loaded.first_answer_s if loaded else None,
            accuracy=evaluation.accuracy if evaluation else None,
            right=evaluation.right_bits if evaluation else None,
            accuracy_share=evaluation.share if evaluation else None,
            agreement=self.agreement,
            output_error=self.output_error,
            latency=self.latency,
            speedup=self.speedup,
        )


def end(variants: Sequence[VariantUnderTest]) -> None:
    """End the processes of all variants."""
    close_all(variant.worker for variant in variants if variant.worker is not None)
    for variant in variants:
        variant.close()
