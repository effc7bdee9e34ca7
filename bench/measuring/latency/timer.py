"""Times the calls of an executable on one batch of inputs made beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch

from bench.core.inputs import Inputs
from bench.measuring.latency import affinity, blocks, cuda, disturbance
from bench.measuring.latency.rounds import Block


class Timed(Protocol):
    """What is timed; every ``bench.runtimes.base.Executable`` is such."""

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return the timed call: no argument is handled inside it."""
        ...


class Timer:
    """Times calls in inference mode."""

    def __init__(self, executable: Timed, inputs: Inputs, watch: disturbance.Watch) -> None:
        """``watch`` was made after the process was pinned: it reads the counters of the cores it may use then."""
        self._watch = watch
        self._on_gpu = inputs.tensors[0].is_cuda
        self._call = _rotating(executable, inputs) if self._on_gpu else executable.bind(inputs)

    def time(self, calls: int) -> float:
        """Return the seconds of ``calls`` calls."""
        with torch.inference_mode():
            if self._on_gpu:
                return cuda.time_calls(self._call, calls)
            lead_in = blocks.LEAD_IN if torch.get_num_threads() == 1 else blocks.THREADED_LEAD_IN
            return blocks.time_calls(self._call, calls, lead_in)

    def warm_up(self, first_s: float | None = None) -> blocks.WarmUp:
        """Warm up and size a block; the first call took ``first_s`` seconds, if it was made."""
        return blocks.warm_up(self, first_s, least_s=cuda.WARM_CLOCKS_S if self._on_gpu else 0.0)

    def block(self, calls: int) -> Block:
        """Return the seconds of ``calls`` calls, and what disturbed them."""
        before = self._watch.read()
        elapsed_s = self.time(calls)
        after = self._watch.read()
        causes = disturbance.causes(before, after, elapsed_s)
        return Block(elapsed_s, causes, after.page_faults - before.page_faults)


def timers(executable: Timed, batches: Mapping[int, Inputs], cores: Sequence[int]) -> dict[int, Timer]:
    """Tie the process to ``cores``, each thread that computes to one of them; return a timer of each batch."""
    affinity.pin(cores)
    made = {size: Timer(executable, inputs, disturbance.Watch()) for size, inputs in batches.items()}
    if len(cores) > 1:
        largest = made[max(made)]
        largest.time(1)  # starts the threads
        affinity.pin_each(cores, lambda: largest.time(1))
    return made


def _rotating(executable: Timed, inputs: Inputs) -> Callable[[], object]:
    """Return a call that takes other copies of the inputs each time: together they are beyond the cache."""
    copies = zip(*(cuda.copies_beyond_cache(value) for value in inputs.tensors), strict=False)
    calls = itertools.cycle([executable.bind(inputs.with_tensors(copied)) for copied in copies])
    return lambda: next(calls)()
