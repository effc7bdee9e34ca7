"""Whether something outside disturbed a block: another process, the hypervisor, the clock's frequency.

Reading takes some 0.1 ms and happens before and after a block, never within it. A cause that this
system does not tell of is not looked for; what no counter shows (such as a neighbour's use of the shared cache)
is what medians over rounds and robust estimates over processes are for.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bench.core.files import system_text
from bench.measuring import cpu_quota
from bench.measuring.latency.affinity import cores_of_threads

Cause = Literal["switch", "steal", "frequency", "throttle"]
"""``switch``: a thread was switched out and had to wait for its core; ``steal``: the hypervisor ran somebody else on
the core; ``frequency``: the core's clock changed; ``throttle``: the container had used up its CPU quota."""
CAUSES: tuple[Cause, ...] = get_args(Cause)

WAITED = 0.01
"""Share of a block that its threads may wait for a core: a kernel thread's microseconds do no harm."""
FREQUENCY_STEP = 0.05
"""A core's clock has changed if it differs by more than this share; readings themselves waver by a few per cent."""


@dataclass(frozen=True)
class Reading:
    """Counters of this process and of the cores it may use; 0 or empty where they cannot be read."""

    switches: int
    """Involuntary context switches of all threads so far."""
    steal_ticks: int
    """Time taken by the hypervisor so far, in the system's ticks of some 10 ms."""
    frequencies_khz: tuple[int, ...]
    waited_ns: int | None = None
    """Time that all threads were ready to run and had no core; ``None`` where the system does not tell."""
    cores: tuple[int, ...] = ()
    """The cores that steal time and frequencies are of."""
    throttled: int = 0
    """Periods so far in which a control group of this process had used up its CPU quota."""
    page_faults: int = 0
    """Pages that the system has had to hand to this process so far, and not to read from a disk (minor faults)."""


class Watch:
    """Reads the counters, those of cores for the cores that this process's threads are tied to at that time."""

    def __init__(self, root: Path = Path("/")) -> None:
        """``root`` stands before ``/proc`` and ``/sys``."""
        self._stat = root / "proc/stat"
        self._tasks = root / "proc/self/task"
        clocks = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        self._clocks = {path.parts[-3]: path for path in clocks}
        self._quota_statistics = cpu_quota.statistics_files(root)

    def read(self) -> Reading:
        """Return the counters of now."""
        cores = cores_of_threads()
        clocks = [self._clocks[name] for core in cores if (name := f"cpu{core}") in self._clocks]
        frequencies = tuple(_integer(path) for path in clocks)
        switches, page_faults = _usage()
        return Reading(
            switches,
            self._steal_ticks(cores),
            frequencies,
            self._waited_ns(),
            cores,
            self._throttled(),
            page_faults,
        )

    def _waited_ns(self) -> int | None:
        waited = 0
        try:
            for task in self._tasks.iterdir():
                # Time on a core, time waiting for one, slices: see the kernel's sched-stats.
                waited += int((task / "schedstat").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return None
        return waited

    def _steal_ticks(self, cores: tuple[int, ...]) -> int:
        columns = [line.split() for line in system_text(self._stat).splitlines()]
        labels = {f"cpu{core}" for core in cores}
        return sum(int(column[8]) for column in columns if len(column) > 8 and column[0] in labels)

    def _throttled(self) -> int:
        lines = [line for path in self._quota_statistics for line in system_text(path).splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("nr_throttled "))


def causes(before: Reading, after: Reading, elapsed_s: float) -> tuple[Cause, ...]:
    """Return what disturbed the ``elapsed_s`` between two readings; empty if nothing is known to have."""
    causes_seen: list[Cause] = []
    if before.waited_ns is None or after.waited_ns is None:
        if after.switches > before.switches:
            causes_seen.append("switch")
    elif after.waited_ns - before.waited_ns > WAITED * elapsed_s * 1e9:
        causes_seen.append("switch")
    same_cores = before.cores == after.cores
    if same_cores and after.steal_ticks > before.steal_ticks:
        causes_seen.append("steal")
    if same_cores and any(
        abs(now - then) > FREQUENCY_STEP * then and then and now  # 0 could not be read
        for then, now in zip(before.frequencies_khz, after.frequencies_khz, strict=True)
    ):
        causes_seen.append("frequency")
    if after.throttled > before.throttled:
        causes_seen.append("throttle")
    return tuple(causes_seen)


def _usage() -> tuple[int, int]:
    """Return the involuntary context switches and the minor page faults of this process so far."""
    if sys.platform == "win32":
        return 0, 0
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nivcsw, usage.ru_minflt


def _integer(path: Path) -> int:
    text = system_text(path)
    return int(text) if text.isdecimal() else 0
