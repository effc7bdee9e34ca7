"""What memory is free, of a system and control groups of our own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bench.measuring.free_memory import free_memory_bytes
from tests.bench.measuring.system import CGROUP, write

FREE = 1000
"""What the system has."""


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=FREE))


def limited(folder: str, limit: str, used: int, reclaimable: int = 0) -> dict[str, str]:
    """Return the files of a group of version 2."""
    statistics = f"anon 7\ninactive_file {reclaimable}\nactive_file 9"
    names = {"memory.max": limit, "memory.current": str(used), "memory.stat": statistics}
    return {f"{CGROUP}/{folder}/{name}": text for name, text in names.items()}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, FREE),
        (limited("a", "max", 300), FREE),
        (limited("a", "700", 300), 400),
        (limited("a", "700", 300, reclaimable=100), 500),
        (limited("a", "900", 100) | limited("", "350", 300), 50),
        (limited("a", "200", 300), 0),
        (limited("a", "5000", 300), FREE),
        (limited("b", "700", 300), FREE),
        ({f"{CGROUP}/a/memory.max": "700"}, FREE),
    ],
)
def test_the_least_that_the_system_and_the_groups_leave_is_free(
    tmp_path: Path, files: dict[str, str], free: int
) -> None:
    assert free_memory_bytes(write(tmp_path, {"proc/self/cgroup": "0::/a"} | files)) == free


def test_version_1_is_read_too(tmp_path: Path) -> None:
    group = f"{CGROUP}/memory/docker/5f"
    write(tmp_path, {"proc/self/cgroup": "9:memory:/docker/5f\n4:cpu,cpuacct:/docker/5f\n0::/"})
    write(tmp_path, {f"{group}/memory.limit_in_bytes": str(2**63 - 4096), f"{group}/memory.usage_in_bytes": "500"})
    assert free_memory_bytes(tmp_path) == FREE, "that is no limit"
    write(
        tmp_path, {f"{group}/memory.limit_in_bytes": "800", f"{group}/memory.stat": "cache 3\ntotal_inactive_file 60"}
    )
    assert free_memory_bytes(tmp_path) == 360
