"""Peak memory of a variant: how much its process grows from before the model is loaded to the peak of a first batch.

On Linux only anonymous memory counts. Pages of files are those of torch's libraries, touched for the first time
by the first batch: tens of megabytes that every process shares, in which a small model would drown; the data set is
mapped from a file, too. On CUDA the tensors in the device's memory count. On other systems the whole resident set
counts, and its peak within the batch stays unseen, because they do not let a process reset its high-water mark.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
import torch

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_HIGH_WATER = "5"
"""See proc_pid_clear_refs(5)."""


@dataclass(frozen=True)
class Reading:
    """The memory of a process at one moment, in bytes."""

    private: int
    """What counts: anonymous memory, or all that can be told apart."""
    mapped: int
    """What does not count and yet is in ``high_water``: pages of files and shared memory."""
    high_water: int
    """The most that ``private`` and ``mapped`` came to together since the last reset."""


class Gauge(Protocol):
    """Where readings come from."""

    def read(self) -> Reading:
        """Return the memory now."""
        ...

    def reset(self) -> None:
        """Let the high-water mark start from now."""
        ...


class MemoryProbe:
    """Made before the model is loaded; then ``loaded()`` before the first batch and ``peak_bytes()`` after it."""

    def __init__(self, device: torch.device, gauge: Gauge | None = None) -> None:
        self._gauge = gauge or gauge_for(device)
        gc.collect()  # garbage of before would be freed by the time of the next reading
        self._before = self._gauge.read()

    def loaded(self) -> None:
        """Note that the model is there; what its loading and conversion need no more does not count."""
        gc.collect()  # FX leaves its graphs in cycles of references
        self._gauge.reset()
        self._loaded = self._gauge.read()

    def peak_bytes(self) -> int:
        """Return the growth by the model and by the peak of the batch after it, in bytes; never below 0."""
        before, loaded, after = self._before, self._loaded, self._gauge.read()
        kept = after.private - loaded.private
        # An upper bound where pages of files came and went within the batch, which nothing maps and unmaps.
        peak = after.high_water - loaded.high_water - (after.mapped - loaded.mapped)
        return max(0, loaded.private - before.private + max(kept, peak))


def gauge_for(device: torch.device) -> Gauge:
    """Return the best gauge that there is for a variant on ``device`` in this process."""
    if device.type == "cuda":
        return CudaGauge(device)
    return LinuxGauge() if sys.platform == "linux" and _can_reset() else ResidentGauge()


def _can_reset() -> bool:
    """Tell whether the kernel has a high-water mark to reset; some sandboxes have none."""
    try:
        CLEAR_REFS.write_text(RESET_HIGH_WATER)
    except OSError:
        return False
    return "RssAnon:" in STATUS.read_text()


class LinuxGauge:
    """Reads ``/proc/self/status``."""

    def __init__(
        self, status: Path = STATUS, clear_refs: Path = CLEAR_REFS, trim: Callable[[], object] | None = None
    ) -> None:
        self._status = status
        self._clear_refs = clear_refs
        self._trim = trim or malloc_trim()

    def read(self) -> Reading:
        """Return the memory now, after what was freed has gone back to the system."""
        self._trim()
        fields = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
        size = {name: int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile", "RssShmem", "VmHWM")}
        return Reading(size["RssAnon"], size["RssFile"] + size["RssShmem"], size["VmHWM"])

    def reset(self) -> None:
        """Let ``VmHWM`` start from now, after what was freed has gone back to the system."""
        self._trim()
        self._clear_refs.write_text(RESET_HIGH_WATER)


def malloc_trim() -> Callable[[], object]:
    """Return a call that gives freed memory back to the system, where the C library has one (glibc)."""
    function = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda: function(0)) if function is not None else (lambda: None)


class CudaGauge:
    """Asks torch's allocator: bytes in tensors, not what it keeps in reserve."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def read(self) -> Reading:
        """Return the memory now."""
        private = torch.cuda.memory_allocated(self._device)
        return Reading(private, 0, torch.cuda.max_memory_allocated(self._device))

    def reset(self) -> None:
        """Let the allocator's maximum start from now."""
        torch.cuda.reset_peak_memory_stats(self._device)


class ResidentGauge:
    """Reads the resident set, which has no high-water mark: it is the reading itself."""

    def read(self) -> Reading:
        """Return the memory now."""
        resident = psutil.Process().memory_info().rss
        return Reading(resident, 0, resident)

    def reset(self) -> None:
        """Do nothing."""
