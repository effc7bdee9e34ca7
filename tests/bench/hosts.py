"""Hosts that misbehave on purpose; worker processes import them by name."""

from __future__ import annotations

import os
import signal
import threading

from bench.errors import UnsupportedError
from bench.measure.latency import WarmUp
from bench.result import Accuracy, Layers
from bench.variant import VariantFacts, VariantRequest
from bench.worker import Report


class Host:
    """Answers, reports, refuses, raises, crashes, hangs."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def add(self, a: int, b: int) -> int:
        return a + b

    def pid(self) -> int:
        return os.getpid()

    def count(self, total: int) -> str:
        for done in range(1, total + 1):
            self._report(done, total)
        return "counted"

    def refuse(self) -> None:
        raise UnsupportedError("this model has no Linear layers")

    def stumble(self) -> None:
        raise ZeroDivisionError("division by zero")

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave(self) -> None:
        os._exit(3)

    def hang(self) -> None:
        threading.Event().wait()


class FakeVariant:
    """Stands in for ``bench.variant_host.VariantHost``: a variant that goes wrong where its technique's turn comes.

    The technique that it is asked for decides: ``bf16`` crashes when built, ``fp16`` answers wrong shapes,
    ``amp`` crashes in the middle of the rounds, ``dynamic-fp16`` is refused; the others take a known time.
    """

    def __init__(self, report: Report) -> None:
        self._blocks = 0

    def build(self, request: VariantRequest) -> VariantFacts:
        self._technique = request.technique
        if self._technique == "bf16":
            os.kill(os.getpid(), signal.SIGABRT)
        if self._technique == "dynamic-fp16":
            raise UnsupportedError("not on this example")
        return VariantFacts(size_bytes=100, params=10, layers=Layers(changed=0, total=1), notes=("an example",))

    def evaluate(self) -> Accuracy:
        if self._technique == "fp16":
            raise ValueError("the logits have shape (3,), not (3, classes)")
        return Accuracy(correct=9, total=10)

    def warm_up(self, batch_size: int) -> WarmUp:
        return WarmUp(calls_per_block=10, blocks_s=[1.0], warm=self._technique != "dynamic-qint8")

    def time(self, batch_size: int, calls: int) -> float:
        self._blocks += 1
        if self._technique == "amp" and self._blocks == 4:
            os._exit(9)
        return calls * batch_size * (2.0 if self._technique == "fp32" else 1.0)
