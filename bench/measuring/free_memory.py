"""How much memory can be had without swapping: what the system has free, within the limits of control groups.

A limit is what ``docker run --memory`` or a pod's memory limit sets. Pages of files that were not read lately count as
used in a group and as free here: the kernel takes them back first.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from bench.core.files import system_text
from bench.measuring.control_groups import ROOT, control_groups

_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of versions 2 and 1: the limit, what is used, and what of it can be taken back, by its name in ``memory.stat``."""


def free_memory_bytes(root: Path = ROOT) -> int:
    """Return the bytes that this process can have now; ``root`` stands before ``/proc`` and ``/sys``."""
    within_limits = (left for folder in control_groups("memory", root) if (left := _left(folder)) is not None)
    return min([psutil.virtual_memory().available, *within_limits])


def _left(folder: Path) -> int | None:
    """Return what a group's limit leaves; ``None`` where there is no limit."""
    for limit, used, reclaimable in _FILES:
        try:
            left = int(system_text(folder / limit)) - int(system_text(folder / used))
        except ValueError:  # "max" for none, or the files are not there
            continue
        lines = (line.split() for line in system_text(folder / "memory.stat").splitlines())
        return max(0, left + sum(int(value) for name, value in lines if name == reclaimable))
    return None
