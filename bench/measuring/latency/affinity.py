"""Which cores a process may run on, and tying all of its threads to some of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import RequestError


def can_pin() -> bool:
    """Return whether this system lets a process choose its cores (Linux does, macOS and Windows do not)."""
    return hasattr(os, "sched_setaffinity")


def allowed_cores() -> list[int]:
    """Return the cores this process may run on (fewer than the machine has, under taskset or a cpuset)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def choose_cores(wanted: str, threads: int) -> list[int]:
    """Return the cores for ``--pin``: ``auto``, ``none``, or numbers such as ``1`` or ``2,3``.

    ``auto`` takes the last ``threads`` cores, because systems serve most interrupts on the first; where it cannot
    choose, because all cores are needed or the system cannot pin, it returns none. Raises ``RequestError``.
    """
    allowed = allowed_cores()
    if wanted == "none":
        return []
    if wanted == "auto":
        return allowed[-threads:] if can_pin() and threads < len(allowed) else []
    try:
        cores = sorted({int(part) for part in wanted.split(",")})
    except ValueError:
        raise RequestError(
            f"--pin {wanted!r} is not a list of cores; give auto, none, or numbers like 1 or 2,3."
        ) from None
    if not can_pin():
        raise RequestError("this system does not let a process choose its cores; leave --pin out.")
    if absent := [core for core in cores if core not in allowed]:
        raise RequestError(
            f"--pin {wanted}: core {absent[0]} does not exist here or this process may not use it; "
            f"it may use {', '.join(map(str, allowed))}."
        )
    if len(cores) < threads:
        raise RequestError(
            f"--pin {wanted} names {len(cores)} of the {threads} cores that --threads {threads} needs; name more."
        )
    return cores


def pin(cores: Sequence[int]) -> None:
    """Tie every thread of this process to ``cores``; threads that it starts later inherit that."""
    tasks = Path("/proc/self/task")
    threads = [int(entry.name) for entry in tasks.iterdir()] if tasks.is_dir() else [0]
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(thread, cores)
