"""What the system tells of its cores, in files of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measuring.topology import describe, physical_cores


def core(root: Path, number: int, **files: object) -> None:
    """Write what the system tells of a core; ``__`` in a name stands for a slash."""
    for name, value in files.items():
        path = root / f"sys/devices/system/cpu/cpu{number}" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")


def test_the_threads_of_a_core_are_together_and_the_last_core_is_first(tmp_path: Path) -> None:
    for number in range(4):
        core(tmp_path, number, topology__thread_siblings_list=f"{number % 2},{number % 2 + 2}")
    assert physical_cores(range(4), tmp_path) == [[3, 1], [2, 0]]
    assert physical_cores([0, 2, 3], tmp_path) == [[3], [2, 0]], "core 1 may not be used"


def test_cores_of_two_packages_have_the_same_number(tmp_path: Path) -> None:
    for number in range(4):
        core(tmp_path, number, topology__physical_package_id=number // 2, topology__core_id=number % 2)
    assert physical_cores(range(4), tmp_path) == [[3], [2], [1], [0]]


@pytest.mark.parametrize("told_in", ["cpufreq__cpuinfo_max_freq", "cpu_capacity", "acpi_cppc__highest_perf"])
def test_fast_cores_are_first(tmp_path: Path, told_in: str) -> None:
    """A hybrid CPU: cores 0 to 3 are two fast cores of two threads, 4 to 6 slow ones."""
    for number in range(7):
        siblings = f"{number // 2 * 2}-{number // 2 * 2 + 1}" if number < 4 else number
        core(tmp_path, number, topology__thread_siblings_list=siblings, **{told_in: 1000 if number < 4 else 700})
    assert physical_cores(range(7), tmp_path) == [[3, 2], [1, 0], [6], [5], [4]]
    assert describe(range(7), tmp_path) == "5 physical cores, 1 or 2 threads a core"


def test_a_system_that_tells_nothing_has_as_many_physical_cores_as_logical_ones(tmp_path: Path) -> None:
    assert physical_cores([0, 1, 5], tmp_path) == [[5], [1], [0]]
    assert describe([0], tmp_path) == "1 physical core, 1 thread a core"


def test_a_speed_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    core(tmp_path, 0, cpu_capacity="<unknown>")
    assert physical_cores([0, 1], tmp_path) == [[1], [0]]
