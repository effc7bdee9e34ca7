"""Makes the rows of one model: converts every variant, then measures all of them beside each other."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import summary
from bench.errors import CheckpointError, UnsupportedError
from bench.measure import latency
from bench.measure.latency import WarmUp
from bench.progress import Bars
from bench.result import BASELINE, Accuracy, Latency, Row, Settings, Speedup, Status
from bench.techniques.technique import Technique
from bench.variant import VARIANT_HOST, VariantFacts, VariantRequest
from bench.worker import Job, Worker, WorkerError, run_jobs

SETTLE_S = 0.005
"""Pause after a block of several threads: an idle OpenMP pool spins on for a while and would disturb the next."""


@dataclass
class Subject:
    """One variant while it is measured."""

    technique: Technique
    request: VariantRequest
    obstacle: Exception | None
    """Why it cannot be had, known before trying: unsupported here, or a training that failed."""
    worker: Worker | None = None
    status: Status = "ok"
    reason: str = ""
    facts: VariantFacts | None = None
    accuracy: Accuracy | None = None
    latency: dict[int, Latency] = field(default_factory=dict)
    speedup: dict[int, Speedup] = field(default_factory=dict)

    def start(self) -> None:
        """Give the variant its process, or the reason why it has none."""
        if self.obstacle is not None:
            self.fail(self.obstacle)
        else:
            self.worker = Worker(VARIANT_HOST)

    def fail(self, error: Exception) -> None:
        """Take the variant out of the measurement; what was measured of it before stands."""
        if isinstance(error, CheckpointError):  # concerns every variant, and the user can put it right
            raise error
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
        notes = list(self.facts.notes) if self.facts else []
        cold = [str(batch_size) for batch_size, value in self.latency.items() if not value.warm]
        if cold:
            notes.append(f"the warm-up did not settle at batch {' and '.join(cold)}")
        return Row(
            task=self.request.task,
            model=self.request.model,
            technique=self.technique.name,
            scheme=self.technique.scheme,
            dtype=self.technique.dtype(self.request.device),
            status=self.status,
            reason=self.reason,
            notes=notes,
            size_bytes=self.facts.size_bytes if self.facts else None,
            params=self.facts.params if self.facts else None,
            layers=self.facts.layers if self.facts else None,
            accuracy=self.accuracy,
            latency=self.latency,
            speedup=self.speedup,
        )


class RemoteTimer:
    """Times a variant in its process; after a failure it reads NaN, and the other variants go on."""

    def __init__(self, subject: Subject, batch_size: int) -> None:
        self._subject = subject
        self._batch_size = batch_size

    def time(self, calls: int) -> float:
        """Return the seconds that ``calls`` calls took, or NaN."""
        worker = self._subject.worker
        if worker is None:
            return math.nan
        try:
            elapsed: float = worker.call("time", self._batch_size, calls)
        except WorkerError as error:
            self._subject.fail(error)
            return math.nan
        if self._subject.request.threads > 1:
            time.sleep(SETTLE_S)
        return elapsed


def measure_model(subjects: Sequence[Subject], settings: Settings, cores: int, bars: Bars) -> list[Row]:
    """Return a row for each variant of one model.

    Conversion and accuracy use all ``cores`` at once; latency has the machine to itself.
    Raises ``CheckpointError``; any other failure is a row.
    """
    name = f"{subjects[0].request.task}/{subjects[0].request.model}"
    try:
        for subject in subjects:
            subject.start()
        for subject, facts in _call_each(subjects, "build", lambda subject: (subject.request,), cores, bars, name):
            subject.facts = facts
        for subject, accuracy in _call_each(subjects, "evaluate", lambda _: (), cores, bars, name):
            subject.accuracy = accuracy
        for batch_size in settings.batch_sizes:
            _measure_latency(subjects, batch_size, settings, cores, bars, name)
    finally:
        for subject in subjects:
            subject.close()
    return [subject.row() for subject in subjects]


def _call_each(
    subjects: Sequence[Subject],
    method: str,
    arguments: Callable[[Subject], tuple[object, ...]],
    cores: int,
    bars: Bars,
    name: str,
) -> Iterator[tuple[Subject, Any]]:
    """Call a method of every living variant; yield (subject, result) of those that did not fail."""
    living = [subject for subject in subjects if subject.worker is not None]
    jobs = [
        Job(subject.worker, method, arguments(subject), bars.bar(f"{method} {name} {subject.technique.name}"))
        for subject in living
        if subject.worker is not None
    ]
    at_once = max(1, cores // subjects[0].request.threads)
    for position, outcome in run_jobs(jobs, at_once):
        if isinstance(outcome, Exception):
            living[position].fail(outcome)
        else:
            yield living[position], outcome


def _measure_latency(
    subjects: Sequence[Subject], batch_size: int, settings: Settings, cores: int, bars: Bars, name: str
) -> None:
    # Side by side: warming up is no measurement, and the last windows must agree whoever runs beside.
    warm_ups: dict[str, WarmUp] = {
        subject.technique.name: warm_up
        for subject, warm_up in _call_each(subjects, "warm_up", lambda _: (batch_size,), cores, bars, name)
    }
    rounds = settings.runs * settings.rounds_per_run
    show = bars.bar(f"time {name}, batch {batch_size}")
    samples = latency.interleave(
        timers={subject.technique.name: RemoteTimer(subject, batch_size) for subject in subjects if subject.worker},
        calls={technique: warm_up.calls_per_block for technique, warm_up in warm_ups.items()},
        rounds=rounds,
        rng=random.Random(f"{settings.seed} {name} {batch_size}"),
        after_round=lambda done: show(done, rounds),
    )
    for subject in subjects:
        rounds_s = samples.get(subject.technique.name)
        if subject.status != "ok" or rounds_s is None:
            continue
        warm_up = warm_ups[subject.technique.name]
        subject.latency[batch_size] = Latency(
            runs_s=summary.run_means(rounds_s, settings.runs),
            rounds_s=rounds_s,
            calls_per_block=warm_up.calls_per_block,
            warm_up_s=warm_up.blocks_s,
            warm=warm_up.warm,
        )
        baseline = next((other for other in subjects if other.technique.name == BASELINE), None)
        if baseline is not None and baseline is not subject and baseline.status == "ok":
            interval = summary.speedup(samples[BASELINE], rounds_s)
            subject.speedup[batch_size] = Speedup(
                value=interval.value, low=interval.low, high=interval.high, confidence=interval.confidence
            )
