"""Which logical cores are threads of one physical core, and which physical cores are fast, as the system tells.

Linux describes each core below ``/sys/devices/system/cpu`` (its documentation: cputopology, sysfs-devices-system-cpu).
Elsewhere every logical core counts as a physical one, and all as equally fast.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bench.core.files import system_text

ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_SPEEDS = ("cpu_capacity", "acpi_cppc/highest_perf", "cpufreq/cpuinfo_max_freq")
"""What ranks the cores of a hybrid CPU; a system has some of these files, or none."""


def physical_cores(cores: Collection[int], root: Path = ROOT) -> list[list[int]]:
    """Return ``cores`` by physical core, its threads together: the fastest first, of equal ones the last first.

    The last ones come first because systems serve most interrupts on the first.
    """
    threads: dict[object, list[int]] = {}
    for core in sorted(cores, key=lambda core: (_speed(core, root), core), reverse=True):
        threads.setdefault(_physical_core(core, root), []).append(core)
    return list(threads.values())


def describe(cores: Collection[int], root: Path = ROOT) -> str:
    """Say how many physical cores ``cores`` are, and how many threads each of them has."""
    threads = sorted({len(siblings) for siblings in physical_cores(cores, root)})
    count = len(physical_cores(cores, root))
    return (
        f"{count} physical {'core' if count == 1 else 'cores'}, "
        f"{' or '.join(map(str, threads))} {'thread' if threads == [1] else 'threads'} a core"
    )


def _physical_core(core: int, root: Path) -> object:
    folder = root / _CPUS / f"cpu{core}" / "topology"
    if siblings := system_text(folder / "thread_siblings_list"):
        return siblings  # the same text in the folders of all of them
    package, number = system_text(folder / "physical_package_id"), system_text(folder / "core_id")
    return (package, number) if number else core


def _speed(core: int, root: Path) -> tuple[int, ...]:
    texts = (system_text(root / _CPUS / f"cpu{core}" / name) for name in _SPEEDS)
    return tuple(int(text) if text.isdecimal() else 0 for text in texts)
