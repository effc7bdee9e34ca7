"""Calls one method of all variants of a model, as many at once as cores are there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.progress import Bars
from bench.subject import Subject
from bench.worker import Job, run_jobs


class Stage:
    """The variants of one model, and the cores and bars for what is done to all of them."""

    def __init__(self, subjects: Sequence[Subject], cores: int, bars: Bars, name: str) -> None:
        self.name = name
        self.bars = bars
        self._subjects = subjects
        self._at_once = max(1, cores // subjects[0].request.threads)

    def call(
        self, method: str, arguments: Callable[[Subject], tuple[object, ...]] = lambda _: ()
    ) -> Iterator[tuple[Subject, Any]]:
        """Call one method of all; yield (subject, result) of those that did not fail."""
        for subject, _, outcome in self.outcomes([(each, method, arguments(each)) for each in self._subjects]):
            if isinstance(outcome, Exception):
                subject.fail(outcome)
            else:
                yield subject, outcome

    def outcomes(self, calls: Sequence[tuple[Subject, str, tuple[object, ...]]]) -> Iterator[tuple[Subject, str, Any]]:
        """Make calls of living subjects; yield (subject, method, result or exception) as they end."""
        living = [
            (subject, subject.worker, method, args) for subject, method, args in calls if subject.worker is not None
        ]
        jobs = [
            Job(worker, method, args, self.bars.bar(f"{method} {self.name} {subject.name}"))
            for subject, worker, method, args in living
        ]
        for position, outcome in run_jobs(jobs, self._at_once):
            subject, _, method, _ = living[position]
            yield subject, method, outcome
