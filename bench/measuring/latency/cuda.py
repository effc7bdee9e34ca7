"""Timing on a CUDA device: events on its own clock, warm clocks, inputs that its cache cannot hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bench.measuring.latency.blocks import LEAD_IN

WARM_CLOCKS_S = 0.5
"""A warm-up lasts at least so long: an idle GPU has low clocks, and takes a while to raise them."""
MAX_COPIES = 64


def copies_beyond_cache(inputs: Tensor, cache_bytes: int | None = None) -> list[Tensor]:
    """Return as many copies of ``inputs`` as together are twice the device's L2 cache, from 2 to ``MAX_COPIES``.

    Calls that take them in turn find their inputs in memory, as new data would be.
    """
    if cache_bytes is None:
        cache_bytes = torch.cuda.get_device_properties(inputs.device).L2_cache_size
    wanted = math.ceil(2 * cache_bytes / max(1, inputs.nbytes))
    return [inputs.clone() for _ in range(min(MAX_COPIES, max(2, wanted)))]


def time_calls(call: Callable[[], object], calls: int) -> float:
    """Return the seconds between an event before and one after ``calls`` calls, a lead-in having been made."""
    for _ in range(math.ceil(LEAD_IN * calls)):
        call()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3
