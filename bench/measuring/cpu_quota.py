"""The CPU quota of the control groups that this process is in: what ``docker run --cpus`` or a pod's CPU limit sets.

A group that has used up its quota in a period (100 ms by default) is throttled: all of its threads stand still until
the next one begins. Source: the kernel's documentation of cgroup-v2 (``cpu.max``, ``cpu.stat``) and of CFS bandwidth
control (``cpu.cfs_quota_us``, ``cpu.cfs_period_us``), which is version 1.
"""

from __future__ import annotations

from pathlib import Path

from bench.core.files import system_text
from bench.measuring.control_groups import ROOT, control_groups

_WAY_OUT = "a larger one is set by 'docker run --cpus' or a pod's CPU limit"


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return how many cores' time the control groups of this process may use; ``None`` if it is not limited."""
    return min((cores for folder in control_groups("cpu", root) if (cores := _cores(folder)) is not None), default=None)


def statistics_files(root: Path = ROOT) -> list[Path]:
    """Return the files that count how often this process's groups were throttled, of those that have a quota."""
    return [folder / "cpu.stat" for folder in control_groups("cpu", root) if _cores(folder) is not None]


def quota_remarks(quota: float | None) -> list[str]:
    """Return what a quota of less than one core does to latencies, in one sentence; empty if it does nothing."""
    if quota is None or quota >= 1:
        return []
    remark = (
        f"the CPU quota here is {quota:.2g} cores, so calls are throttled and latencies include the time they stand "
        f"still; measure with one core at least ({_WAY_OUT})"
    )
    return [remark]


def too_many_threads(threads: int, quota: float) -> str:
    """Say that the quota does not suffice for ``threads``, and what to do."""
    return (
        f"--threads {threads} needs {threads} cores, and the CPU quota here is {quota:.3g}; "
        f"give --threads {max(1, int(quota))}, or a larger quota ({_WAY_OUT})."
    )


def _cores(folder: Path) -> float | None:
    """Return the quota that is set in a group's folder, in cores."""
    version_1 = [system_text(folder / "cpu.cfs_quota_us"), system_text(folder / "cpu.cfs_period_us")]
    try:
        quota_us, period_us = (int(text) for text in system_text(folder / "cpu.max").split() or version_1)
    except ValueError:  # "max" for none, or the files are not there
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None
