"""The CPU quota of a container, in control groups of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measuring.cpu_quota import cpu_quota, quota_remarks, statistics_files
from tests.bench.measuring.system import CGROUP, write


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"proc/self/cgroup": "0::/", f"{CGROUP}/cpu.max": "150000 100000"}, 1.5),
        ({"proc/self/cgroup": "0::/", f"{CGROUP}/cpu.max": "max 100000"}, None),
        (
            {"proc/self/cgroup": "0::/a/b", f"{CGROUP}/a/b/cpu.max": "max 100000", f"{CGROUP}/a/cpu.max": "5000 10000"},
            0.5,
        ),
        (
            {"proc/self/cgroup": "0::/a", f"{CGROUP}/a/cpu.max": "400000 100000", f"{CGROUP}/cpu.max": "200000 100000"},
            2,
        ),
        ({"proc/self/cgroup": "0::/a", f"{CGROUP}/b/cpu.max": "100000 100000", f"{CGROUP}/a/cpu.weight": "100"}, None),
        ({"proc/self/cgroup": "0::/", f"{CGROUP}/cpu.max": "not a number"}, None),
        ({"proc/self/cgroup": "0::/"}, None),
        ({}, None),
    ],
)
def test_the_least_quota_of_the_group_and_those_above_counts(
    tmp_path: Path, files: dict[str, str], quota: float
) -> None:
    assert cpu_quota(write(tmp_path, files)) == quota


@pytest.mark.parametrize("folder", ["cpu/docker/5f", "cpu", "cpu,cpuacct/docker/5f"])
def test_version_1_is_read_too(tmp_path: Path, folder: str) -> None:
    """In a container, the path may be the host's while the container's own group is what is mounted."""
    write(tmp_path, {"proc/self/cgroup": "9:memory:/docker/5f\n4:cpu,cpuacct:/docker/5f\n0::/"})
    write(tmp_path, {f"{CGROUP}/memory/cpu.cfs_quota_us": "1", f"{CGROUP}/memory/cpu.cfs_period_us": "1"})
    write(tmp_path, {f"{CGROUP}/{folder}/cpu.cfs_period_us": "100000", f"{CGROUP}/{folder}/cpu.cfs_quota_us": "-1"})
    assert cpu_quota(tmp_path) is None
    write(tmp_path, {f"{CGROUP}/{folder}/cpu.cfs_quota_us": "250000"})
    assert cpu_quota(tmp_path) == 2.5
    assert statistics_files(tmp_path) == [tmp_path / CGROUP / folder / "cpu.stat"]


def test_a_quota_below_one_core_is_said() -> None:
    [remark] = quota_remarks(0.5)
    assert "quota here is 0.5 cores" in remark
    assert "docker run --cpus" in remark
    assert quota_remarks(1.0) == quota_remarks(None) == []
