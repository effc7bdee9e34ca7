"""The C library keeps the memory that a training step frees, because the next step takes as much."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
"""Of glibc's malloc.h; see mallopt(3)."""
NEVER = -1


def keep_freed_memory() -> None:
    """Let this process, from now on, give no freed memory back to the system, where its C library is glibc.

    By default large blocks go back at once, and the end of the heap as soon as enough of it is free. Each step would
    take the same pages anew, and the kernel clear them. What was kept goes back when the process ends.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # all blocks come from the heap, those of any size
        mallopt(M_TRIM_THRESHOLD, NEVER)
