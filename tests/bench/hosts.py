"""Hosts that misbehave on purpose; worker processes import them by name."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.core.errors import CheckpointError, UnsupportedError
from bench.core.report import Report
from bench.measuring import accuracy
from bench.measuring.latency.blocks import WarmUp
from bench.measuring.latency.rounds import Block
from bench.results.evaluation import Evaluation
from bench.results.row import Accuracy, Layers
from bench.worker.messages import LoadedFacts, VariantFacts, VariantRequest

FOREVER = threading.Event()
"""Nobody sets it."""


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

    def exhaust(self) -> None:
        bytearray(2**62)

    def exhaust_torch(self) -> None:
        torch.empty(2**50)

    def die(self, name: str) -> None:
        os.kill(os.getpid(), signal.Signals[name])

    def leave(self) -> None:
        os._exit(3)

    def hang(self) -> None:
        FOREVER.wait()


SIMULATED = "simulated"
"""Planted in a variant whose latency is that of a simulation."""
EMULATED = "emulated"
"""Planted in a variant that is 25 times slower than fp32."""
LOG = "log"


class FakeVariant:
    """Stands in for ``bench.worker.variant_host.VariantHost``; takes a known time: fp32 twice that of the others.

    What the request names as its engine goes wrong: a method of ``Host``, and in which step. ``process N`` before the
    step is the process, counted from 0 among those that are timed.
    """

    def __init__(self, report: Report) -> None:
        self._host = Host(report)
        self._blocks = 0

    def build(self, request: VariantRequest) -> VariantFacts:
        self._begin(request, "build")
        self._go_wrong("build")
        return VariantFacts(
            size_bytes=100,
            deploy_bytes=50,
            packed_bytes=50,
            bytes_by_dtype={"float32": 40},
            params=10,
            layers=Layers(changed=0, total=1),
            macs=8,
            fingerprint="the same logits",
            simulated=self._plant == SIMULATED,
            bit_operations=None,
            scores={},
            build_s=1.0,
            notes=("an example",),
        )

    def reload(self, request: VariantRequest) -> None:
        self._begin(request, "reload")
        self._go_wrong("reload")

    def verify(self, request: VariantRequest) -> LoadedFacts:
        self._begin(request, "verify")
        self._go_wrong("verify")
        if self._plant == "verify: damaged":
            raise CheckpointError("the packed file is damaged; pack the variant again")
        alike = self._plant != "verify: other logits"
        return LoadedFacts("the same logits" if alike else "other logits", 0.1, 0.01, 1000)

    def evaluate(self) -> Evaluation:
        self._log("evaluate")
        self._go_wrong("evaluate")
        logits: dict[str, object] = {
            "evaluate: NaN": torch.full((3, 2), float("nan")),
            "evaluate: wrong shape": torch.zeros(3),
            "evaluate: None": None,
        }
        if self._plant in logits:

            def forward(inputs: Tensor) -> Tensor:
                return logits[self._plant]  # type: ignore[return-value]

            return accuracy.evaluate(forward, [(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long))])
        right = np.arange(10) != (0 if self._technique == "fp32" else 1)
        return Evaluation(Accuracy(correct=9, total=10), answers=right.astype(np.int16), right=right)

    def call_first(self, batch_sizes: Sequence[int]) -> None:
        """Not timed."""

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, WarmUp]:
        self._log(f"warm up {batch_sizes}")
        for batch_size in batch_sizes:
            self._go_wrong(f"warm up {batch_size}")
        done = WarmUp(calls_per_block=10, blocks_s=[1e-3], warm=self._plant != "never warm")
        return dict.fromkeys(batch_sizes, done)

    def time(self, batch_size: int, calls: int) -> Block:
        self._log(f"time {batch_size}")
        self._blocks += 1
        if self._blocks == 3:
            self._go_wrong("time")
        if batch_size == 64:
            self._go_wrong("time 64")
        elapsed_s = 1e-3 * calls * batch_size * self._call
        return Block(elapsed_s, ("steal",) if self._plant == "disturbed" else ())

    def _begin(self, request: VariantRequest, step: str) -> None:
        """Note which process of the variant this is, in a file beside the packed one."""
        self._plant, self._technique = request.engine, request.key.technique
        self._folder = request.packed.parent
        self._log(step)
        starts = sum(line.endswith((" build", " reload")) for line in log_of(self._folder, self._technique))
        self._process = starts - 2  # the first was not timed
        self._call = {SIMULATED: 1.0, EMULATED: 50.0}.get(self._plant, 2.0 if self._technique == "fp32" else 1.0)
        if self._plant == "restless":
            self._call *= random.SystemRandom().uniform(0.8, 1.2)

    def _log(self, step: str) -> None:
        with (self._folder / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{self._technique} {os.getpid()} {step}\n")

    def _go_wrong(self, step: str) -> None:
        where, _, what = self._plant.partition(": ")
        if where.startswith("process "):
            _, number, where = where.split(" ", 2)
            if int(number) != self._process:
                return
        method, _, argument = what.partition(" ")
        if where == step and hasattr(Host, method):
            getattr(self._host, method)(*filter(None, [argument]))


def log_of(folder: Path, technique: str) -> list[str]:
    """Return what the processes of a fake variant were asked, in order: technique, process id, step."""
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(f"{technique} ")]


class FakeReference:
    """Stands in for ``bench.worker.reference_host.ReferenceHost``; takes half a millisecond a call.

    What its device is called goes wrong: the step in which its process dies; ``once FILE``, the first time alone.
    """

    def __init__(self, report: Report) -> None:
        self._plant = ""

    def build(self, threads: int, device: str) -> None:
        self._plant = device
        if device.startswith("once ") and not (mark := Path(device.removeprefix("once "))).exists():
            mark.touch()
            os._exit(3)

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, WarmUp]:
        self._die_in("warm up")
        return dict.fromkeys(batch_sizes, WarmUp(calls_per_block=20, blocks_s=[5e-4], warm=True))

    def time(self, batch_size: int, calls: int) -> Block:
        self._die_in("time")
        return Block(5e-4 * calls)

    def _die_in(self, step: str) -> None:
        if self._plant == step:
            os._exit(3)


class FakeSelfCheck:
    """Stands in for ``bench.worker.selfcheck_host.SelfCheckHost``."""

    def __init__(self, report: Report) -> None:
        pass

    def truth(self, seconds: float, cores: Sequence[int]) -> float:
        return 1.01 * seconds

    def cost(self) -> float:
        return 3e-8

    def peer(self, batch_size: int, threads: int, seconds: float) -> float:
        return 1.9
