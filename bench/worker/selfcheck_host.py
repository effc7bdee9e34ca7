"""The worker's side of the self-check: calls of a known time, and the same comparison by torch.utils.benchmark."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Sequence

import torch

from bench.core.report import Report
from bench.measuring.latency import affinity, blocks
from bench.measuring.machine import supported_engines
from bench.results.quantized_engine import FBGEMM
from bench.runtimes.known import spin
from bench.techniques.base import TECHNIQUES, Context
from bench.worker import selfcheck_model

EMPTY_CALLS = 1_000_000
STUB_BLOCKS = 8
CALIBRATION_CALLS = 50_000


class SelfCheckHost:
    """Reads what is known without a run."""

    def __init__(self, report: Report) -> None:
        pass

    def truth(self, seconds: float, cores: Sequence[int]) -> float:
        """Measure a stub that spins for ``seconds`` a call, in the way a model is measured; return what is read."""
        affinity.pin(cores)
        stub = _Stub(seconds)
        calls = blocks.warm_up(stub).calls_per_block
        return statistics.median(stub.time(calls) / calls for _ in range(STUB_BLOCKS))

    def cost(self) -> float:
        """Return the seconds that the harness adds to each call."""
        return min(blocks.time_calls(lambda: None, EMPTY_CALLS) for _ in range(3)) / EMPTY_CALLS

    def peer(self, batch_size: int, threads: int, seconds: float) -> float:
        """Return the speed-up of dynamic int8 over fp32 by ``torch.utils.benchmark``, ``seconds`` for both together."""
        # Imports torch's compiler tools, which are slow and log what they miss: of no use to anybody else here.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        from torch.utils.benchmark import Timer

        engines = supported_engines()
        engine = FBGEMM if FBGEMM in engines else engines[0]  # x86 has the same kernels of Linears
        context = Context(torch.device("cpu"), engine, frozenset(), calibration=_none_needed)
        torch.backends.quantized.engine = engine
        medians = []
        for technique in ("fp32", "dynamic-qint8"):
            model = TECHNIQUES.get(technique).convert(selfcheck_model.build(), context).forward
            variables = {"model": model, "inputs": selfcheck_model.inputs(batch_size)}
            timer = Timer("model(inputs)", globals=variables, num_threads=threads)
            with torch.inference_mode():
                medians.append(timer.blocked_autorange(min_run_time=seconds / 2).median)
        return float(medians[0] / medians[1])


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
        spin(self._ns)


def _none_needed() -> torch.Tensor:
    raise AssertionError("dynamic techniques calibrate nothing")
