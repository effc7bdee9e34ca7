"""Calls made on behalf of all variants of a model, as many at once as there are cores for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.core.progress import Bars
from bench.measuring import machine
from bench.measuring.free_memory import free_memory_bytes
from bench.running.variant_under_test import VariantUnderTest
from bench.worker.process import Call, Worker, run_calls
from bench.worker.user.memory import variants_at_once
from bench.worker.user.model import BuiltModel


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

    @classmethod
    def of(cls, model: str, variants: Sequence[VariantUnderTest], threads: int, bars: Bars) -> Parallel:
        """Return calls for as many variants at once as have cores for their threads and, of a user's model, memory."""
        most = max(1, machine.usable_cores() // threads)
        workloads = [variant.request.workload for variant in variants]
        weight_bytes = max((one.facts.weight_bytes for one in workloads if isinstance(one, BuiltModel)), default=0)
        return cls(model, variants_at_once(most, len(variants), weight_bytes, free_memory_bytes()), bars)

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
