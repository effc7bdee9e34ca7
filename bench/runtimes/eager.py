"""Eager PyTorch: a variant is called as a module, in inference mode."""

from __future__ import annotations

import copy
import functools
import itertools
import time

import torch
from torch import Tensor

from bench.core.tensors import Inputs
from bench.measuring.latency import blocks, cuda, disturbance
from bench.measuring.latency.rounds import Block
from bench.techniques.base import Variant


class VariantTimer:
    """Times forward passes in inference mode on inputs made beforehand."""

    def __init__(self, variant: Variant, *inputs: Tensor) -> None:
        self._variant = variant
        self._inputs = inputs
        self._watch = disturbance.Watch()
        self._copies = _rotation(inputs)
        self._rest = 0

    def reallocate(self) -> None:
        """Copy model and inputs to new places and forget the old ones.

        Where that takes longer than a block, every second call does nothing, or more of them: laying out takes
        about as long as measuring at most, and a large model's bias averages out over its many pages.
        """
        if self._rest:
            self._rest -= 1
            return
        start = time.perf_counter()
        # On the cores it is timed on: copied from elsewhere, a process kept some of its bias (false alarms showed it).
        # Both copies exist for a moment, so the new one cannot lie where the old one did.
        self._variant, self._inputs = copy.deepcopy((self._variant, self._inputs))
        self._copies = _rotation(self._inputs)
        self._rest = int((time.perf_counter() - start) / blocks.BLOCK_S)

    def time(self, calls: int) -> float:
        """Return the seconds of ``calls`` calls."""
        with torch.inference_mode():
            if self._copies:
                forward, following = self._variant.forward, itertools.cycle(self._copies)
                return cuda.time_calls(lambda: forward(*next(following)), calls)
            lead_in = blocks.LEAD_IN if torch.get_num_threads() == 1 else blocks.THREADED_LEAD_IN
            return blocks.time_calls(functools.partial(self._variant.forward, *self._inputs), calls, lead_in)

    def block(self, calls: int) -> Block:
        """Return the seconds of ``calls`` calls, and what disturbed them."""
        before = self._watch.read()
        elapsed_s = self.time(calls)
        return Block(elapsed_s, disturbance.causes(before, self._watch.read(), elapsed_s))


def _rotation(inputs: Inputs) -> list[Inputs]:
    if not inputs[0].is_cuda:
        return []
    # As many as the largest tensor has: together they are beyond the cache, too.
    return list(zip(*(cuda.copies_beyond_cache(value) for value in inputs), strict=False))
