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
        """Yield (subject, result) of those that did not fail."""
        living = [(subject, subject.worker) for subject in self._subjects if subject.worker is not None]
        jobs = [
            Job(worker, method, arguments(subject), self.bars.bar(f"{method} {self.name} {subject.name}"))
            for subject, worker in living
        ]
        for position, outcome in run_jobs(jobs, self._at_once):
            subject, _ = living[position]
            if isinstance(outcome, Exception):
                subject.fail(outcome)
            else:
                yield subject, outcome
