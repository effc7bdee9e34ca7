"""Calls made on behalf of all variants of a model, as many at once as there are cores for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.core.progress import Bars
from bench.running.variant_under_test import VariantUnderTest
from bench.worker.process import Call, Worker, run_calls


class VariantCall(NamedTuple):
    """A call on behalf of a variant, of its own process or of another."""

    variant: VariantUnderTest
    worker: Worker
    method: str
    args: tuple[object, ...] = ()


@dataclass(frozen=True)
class Parallel:
    """How calls are made and shown."""

    model: str
    at_once: int
    bars: Bars

    def call(
        self,
        method: str,
        variants: Sequence[VariantUnderTest],
        arguments: Callable[[VariantUnderTest], tuple[object, ...]] = lambda _: (),
    ) -> Iterator[tuple[VariantUnderTest, Any]]:
        """Call one method of all that have a process; yield (variant, result) of those that did not fail."""
        living = [(variant, variant.worker) for variant in variants if variant.worker is not None]
        calls = [VariantCall(variant, worker, method, arguments(variant)) for variant, worker in living]
        for (variant, *_), outcome in self.outcomes(calls):
            if isinstance(outcome, Exception):
                variant.fail(outcome)
            else:
                yield variant, outcome

    def outcomes(self, calls: Sequence[VariantCall]) -> Iterator[tuple[VariantCall, Any]]:
        """Make the calls, in order; yield each with its result or exception as it ends."""
        shown = [
            Call(call.worker, call.method, call.args, self.bars.bar(f"{call.method} {self.model} {call.variant.key}"))
            for call in calls
        ]
        for position, outcome in run_calls(shown, self.at_once):
            yield calls[position], outcome
