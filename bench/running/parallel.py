"""Calls one method of all variants of a model, as many at once as cores are there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from bench.core.progress import Bars
from bench.running.measurement import VariantUnderTest
from bench.worker.process import Job, Worker, run_jobs


class Call(NamedTuple):
    """One call on behalf of a variant, of its own process or of another."""

    subject: VariantUnderTest
    worker: Worker
    method: str
    args: tuple[object, ...] = ()


class Stage:
    """The variants of one model, and the cores and bars for what is done to all of them."""

    def __init__(self, subjects: Sequence[VariantUnderTest], cores: int, bars: Bars, name: str) -> None:
        self.name = name
        self.bars = bars
        self._at_once = max(1, cores // subjects[0].request.threads)

    def call(
        self,
        method: str,
        subjects: Sequence[VariantUnderTest],
        arguments: Callable[[VariantUnderTest], tuple[object, ...]] = lambda _: (),
    ) -> Iterator[tuple[VariantUnderTest, Any]]:
        """Call one method of all that have a process; yield (subject, result) of those that did not fail."""
        living = [(subject, subject.worker) for subject in subjects if subject.worker is not None]
        calls = [Call(subject, worker, method, arguments(subject)) for subject, worker in living]
        for (subject, *_), outcome in self.outcomes(calls):
            if isinstance(outcome, Exception):
                subject.fail(outcome)
            else:
                yield subject, outcome

    def outcomes(self, calls: Sequence[Call]) -> Iterator[tuple[Call, Any]]:
        """Make the calls, in order; yield each with its result or exception as it ends."""
        jobs = [
            Job(call.worker, call.method, call.args, self.bars.bar(f"{call.method} {self.name} {call.subject.name}"))
            for call in calls
        ]
        for position, outcome in run_jobs(jobs, self._at_once):
            yield calls[position], outcome
