"""The worker's side of the self-check: models whose relations are known."""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bench.core.report import Report
from bench.measuring.latency import affinity, blocks
from bench.measuring.latency.rounds import Block
from bench.measuring.latency.timer import Timer
from bench.measuring.machine import supported_engines
from bench.options.shared import DEFAULT_ENGINE
from bench.runtimes.eager import EagerExecutable
from bench.stats.describe import quiet_time
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES, Artifact, Context

MODEL = ("mnist", "lab2")
"""An MLP of 1.5 million weights; here with random ones, which take as long as trained ones."""
EMPTY_CALLS = 1_000_000
STUB_BLOCKS = 8
CALIBRATION_CALLS = 50_000


class SelfCheckHost:
    """Holds one model of known speed."""

    def __init__(self, report: Report) -> None:
        self._timers: dict[int, Timer] = {}
        self._extra = 0.0

    def build(self, technique: str, threads: int, extra: float = 0.0) -> None:
        """Make the model with ``technique``; each of its calls then takes ``extra`` (a share) longer."""
        torch.set_num_threads(threads)
        self._extra = extra
        self._artifact = _variant(technique)

    def warm_up(self, batch_size: int, cores: Sequence[int]) -> blocks.WarmUp:
        """Warm up; then tie the process to ``cores``, and slow the model down if that is asked for."""
        self._timers[batch_size] = _timer(self._artifact, batch_size)
        done = blocks.warm_up(self._timers[batch_size])
        if cores:
            affinity.pin(cores)
        if self._extra:
            forward = functools.partial(_slowed, self._artifact.forward, _Stub(self._extra * min(done.blocks_s)))
            self._timers[batch_size] = _timer(dataclasses.replace(self._artifact, forward=forward), batch_size)
        return done

    def reallocate(self, batch_size: int) -> None:
        """Move model and inputs to new memory."""
        self._timers[batch_size].reallocate()

    def time(self, batch_size: int, calls: int) -> Block:
        """Time ``calls`` calls."""
        return self._timers[batch_size].block(calls)

    def truth(self, seconds: float, cores: Sequence[int]) -> float:
        """Measure a stub that spins for ``seconds`` a call, in the way a model is measured; return what is read."""
        if cores:
            affinity.pin(cores)
        stub = _Stub(seconds)
        calls = blocks.warm_up(stub).calls_per_block
        return quiet_time([stub.time(calls) / calls for _ in range(STUB_BLOCKS)])

    def cost(self) -> float:
        """Return the seconds that the harness adds to each call."""
        return min(blocks.time_calls(lambda: None, EMPTY_CALLS) for _ in range(3)) / EMPTY_CALLS

    def peer(self, batch_size: int, threads: int, seconds: float) -> float:
        """Return the speed-up of dynamic int8 over fp32 by ``torch.utils.benchmark``, ``seconds`` for both together."""
        # Imports torch's compiler tools, which are slow and log what they miss: of no use to anybody else here.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        from torch.utils.benchmark import Timer

        inputs = _inputs(batch_size)
        medians = []
        for technique in ("fp32", "dynamic-qint8"):
            model = _variant(technique).forward
            timer = Timer("model(inputs)", globals={"model": model, "inputs": inputs}, num_threads=threads)
            with torch.inference_mode():
                medians.append(timer.blocked_autorange(min_run_time=seconds / 2).median)
        return float(medians[0] / medians[1])


def _timer(artifact: Artifact, batch_size: int) -> Timer:
    return Timer(EagerExecutable(artifact), (_inputs(batch_size),))


class _Stub:
    """Calls that take a known time: a spin on the clock, less what a spin of no length takes."""

    def __init__(self, seconds: float) -> None:
        self._ns = 0
        start = time.perf_counter_ns()
        for _ in range(CALIBRATION_CALLS):
            self()
        self._ns = round(seconds * 1e9 - (time.perf_counter_ns() - start) / CALIBRATION_CALLS)

    def time(self, calls: int) -> float:
        return blocks.time_calls(self, calls)

    def __call__(self) -> None:
        end = time.perf_counter_ns() + self._ns
        while time.perf_counter_ns() < end:
            pass


def _slowed(forward: Callable[[Tensor], Tensor], delay: Callable[[], None], inputs: Tensor) -> Tensor:
    outputs = forward(inputs)
    delay()
    return outputs


def _variant(technique: str) -> Artifact:
    task = TASKS.get(MODEL[0])
    spec = next(spec for spec in task.models if spec.name == MODEL[1])
    torch.manual_seed(0)
    engines = supported_engines()
    context = Context(
        device=torch.device("cpu"),
        engine=DEFAULT_ENGINE if DEFAULT_ENGINE in engines else engines[0],
        isa=frozenset(),
        calibration=_none_needed,
    )
    return TECHNIQUES.get(technique).convert(spec.build().eval(), context)


def _none_needed() -> torch.Tensor:
    raise AssertionError("the techniques of the self-check calibrate nothing")


def _inputs(batch_size: int) -> torch.Tensor:
    return torch.rand(batch_size, 20 * 20, generator=torch.Generator().manual_seed(0))
