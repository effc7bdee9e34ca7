"""Times the calls of an executable on one batch of inputs made beforehand."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable
from typing import Protocol

import torch

from bench.core.tensors import Inputs
from bench.measuring.latency import blocks, cuda, disturbance
from bench.measuring.latency.rounds import Block


class Timed(Protocol):
    """What is timed; every ``bench.runtimes.base.Executable`` is such."""

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the timed call: no argument is handled inside it."""
        ...

    def reallocate(self) -> None:
        """Move to new places in memory."""
        ...


class Timer:
    """Times calls in inference mode."""

    def __init__(self, executable: Timed, inputs: Inputs) -> None:
        self._executable = executable
        self._inputs = inputs
        self._watch = disturbance.Watch()
        self._rest = 0
        self._bind()

    def reallocate(self) -> None:
        """Move executable and inputs to new places in memory.

        Where that takes longer than a block, the following calls do nothing, so that it takes about as long as
        measuring at most; the bias of a large model's places averages out over its many pages.
        """
        if self._rest:
            self._rest -= 1
            return
        start = time.perf_counter()
        # On the cores it is timed on: copied from elsewhere, a process kept some of its bias (false alarms showed it).
        self._executable.reallocate()
        self._inputs = copy.deepcopy(self._inputs)
        self._bind()
        self._rest = int((time.perf_counter() - start) / blocks.BLOCK_S)

    def time(self, calls: int) -> float:
        """Return the seconds of ``calls`` calls."""
        with torch.inference_mode():
            if self._on_gpu:
                return cuda.time_calls(self._call, calls)
            lead_in = blocks.LEAD_IN if torch.get_num_threads() == 1 else blocks.THREADED_LEAD_IN
            return blocks.time_calls(self._call, calls, lead_in)

    def block(self, calls: int) -> Block:
        """Return the seconds of ``calls`` calls, and what disturbed them."""
        before = self._watch.read()
        elapsed_s = self.time(calls)
        return Block(elapsed_s, disturbance.causes(before, self._watch.read(), elapsed_s))

    def _bind(self) -> None:
        self._on_gpu = self._inputs[0].is_cuda
        self._call = self._rotating() if self._on_gpu else self._executable.bind(self._inputs)

    def _rotating(self) -> Callable[[], object]:
        """Return a call that takes other copies of the inputs each time: together they are beyond the cache."""
        copies = zip(*(cuda.copies_beyond_cache(value) for value in self._inputs), strict=False)
        calls = itertools.cycle([self._executable.bind(inputs) for inputs in copies])
        return lambda: next(calls)()
