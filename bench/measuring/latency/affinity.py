"""Which cores a process may run on, and tying its threads to some of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.core.errors import RequestError
from bench.measuring.topology import physical_cores

ROOT = Path("/")


def can_pin() -> bool:
    """Return whether this system lets a process choose its cores (Linux does, macOS and Windows do not)."""
    return hasattr(os, "sched_setaffinity")


def allowed_cores() -> list[int]:
    """Return the cores this process may run on (fewer than the machine has, under taskset or a cpuset)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def choose_cores(pin: str, threads: int, root: Path = ROOT) -> list[int]:
    """Return the cores for ``--pin``: ``auto``, ``none``, or numbers such as ``1`` or ``2,3``.

    ``auto`` takes one thread of each physical core, the fast ones first and of equals the last, and further threads
    of them only where ``threads`` are more; none where the system cannot pin. Raises ``RequestError``.
    """
    allowed = allowed_cores()
    if pin == "none":
        return []
    if pin == "auto":
        by_rank = itertools.zip_longest(*physical_cores(allowed, root))
        return sorted([core for rank in by_rank for core in rank if core is not None][:threads]) if can_pin() else []
    try:
        cores = sorted({int(part) for part in pin.split(",")})
    except ValueError:
        raise RequestError(
            f"--pin {pin!r} is not a list of cores; give auto, none, or numbers like 1 or 2,3."
        ) from None
    if not can_pin():
        raise RequestError("this system does not let a process choose its cores; leave --pin out.")
    if absent := [core for core in cores if core not in allowed]:
        raise RequestError(
            f"--pin {pin}: core {absent[0]} does not exist here or this process may not use it; "
            f"it may use {', '.join(map(str, allowed))}."
        )
    if len(cores) < threads:
        raise RequestError(
            f"--pin {pin} names {len(cores)} of the {threads} cores that --threads {threads} needs; name more."
        )
    return cores


def pin_remarks(cores: Sequence[int], root: Path = ROOT) -> list[str]:
    """Return what a reader must know of timing on ``cores``: which of them share a physical core, in sentences."""
    siblings = [sorted(threads) for threads in physical_cores(cores, root) if len(threads) > 1]
    if not siblings:
        return []
    shared = " and ".join("+".join(map(str, threads)) for threads in sorted(siblings))
    apart = len(physical_cores(cores, root))
    remark = (
        f"of the timed cores, {shared} are threads of one physical core: they share its arithmetic, so calls are "
        f"slower than on cores of their own and differ more; use --threads {apart} and --pin auto to avoid that"
    )
    return [remark]


def pin(cores: Sequence[int]) -> None:
    """Tie every thread of this process to ``cores``, if there are any; threads that it starts later inherit that."""
    _tie(_threads(ROOT) or [0], cores)


def pin_each(cores: Sequence[int], busy: Callable[[], object], root: Path = ROOT) -> None:
    """Tie the threads that compute to one of ``cores`` each, and all others of this process to all of them.

    Threads that are free to move within ``cores`` may share one for as long as the process lives. ``busy`` makes some
    calls of the model; the calling thread, which gets the first core, and those that took the most time on a core
    meanwhile are the ones that compute. Call it when all threads have been started: what the calling thread starts
    later inherits its one core. Where the system does not tell how long threads were on a core, ``pin`` is all.
    """
    pin(cores)
    if len(cores) < 2:
        return
    before = _busy_ns(root)
    busy()
    caller = threading.get_native_id()
    spent = {thread: ns - before.get(thread, 0) for thread, ns in _busy_ns(root).items() if thread != caller}
    working = sorted((thread for thread, ns in spent.items() if ns > 0), key=spent.__getitem__, reverse=True)
    if working:
        for thread, core in zip([caller, *working], cores, strict=False):
            _tie([thread], [core])


def cores_of_threads() -> tuple[int, ...]:
    """Return the cores that any thread of this process may run on now; empty where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores: set[int] = set()
    for thread in _threads(ROOT) or [0]:
        with contextlib.suppress(ProcessLookupError):
            cores |= os.sched_getaffinity(thread)
    return tuple(sorted(cores))


def _tie(threads: Iterable[int], cores: Sequence[int]) -> None:
    for thread in threads if cores else ():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(thread, cores)


def _threads(root: Path) -> list[int]:
    """Return the numbers of this process's threads; empty where the system does not tell."""
    tasks = root / "proc/self/task"
    return [int(entry.name) for entry in tasks.iterdir()] if tasks.is_dir() else []


def _busy_ns(root: Path) -> dict[int, int]:
    """Return how long each thread has been on a core (the kernel's sched-stats), of those that tell."""
    times = {}
    for thread in _threads(root):
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = (root / f"proc/self/task/{thread}/schedstat").read_text(encoding="ascii")
            times[thread] = int(text.split()[0])
    return times
