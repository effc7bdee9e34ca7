"""What is known to have disturbed a block, from counters in files of our own."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from bench.measuring.latency import disturbance
from bench.measuring.latency.disturbance import CAUSES, Reading, Watch, causes

CALM = Reading(switches=7, steal_ticks=40, frequencies_khz=(2_000_000, 2_000_000))
BLOCK_S = 0.01
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (CALM, ()),
        (Reading(8, 40, (2_000_000, 2_000_000)), ("switch",)),
        (Reading(7, 41, (2_000_000, 2_000_000)), ("steal",)),
        (Reading(7, 40, (2_000_000, 2_300_000)), ("frequency",)),
        (Reading(7, 40, (1_700_000, 2_000_000)), ("frequency",)),
        (Reading(7, 40, (2_099_000, 1_901_000)), ()),  # readings themselves waver
        (Reading(7, 40, (2_000_000, 2_000_000), throttled=1), ("throttle",)),
        (Reading(9, 44, (1_000_000, 2_000_000), throttled=2), CAUSES),
        (Reading(7, 99, (1_000_000,), cores=(1,)), ()),  # other cores, whose counters do not compare
    ],
)
def test_what_changed_between_two_readings_is_the_cause(after: Reading, found: tuple[str, ...]) -> None:
    assert causes(CALM, after, BLOCK_S) == found


@pytest.mark.parametrize(("waited_ns", "found"), [(0, ()), (99_000, ()), (101_000, ("switch",))])
def test_a_switch_disturbs_if_a_thread_had_to_wait_for_long(waited_ns: int, found: tuple[str, ...]) -> None:
    before = Reading(switches=7, steal_ticks=0, frequencies_khz=(), waited_ns=5_000)
    after = Reading(switches=9, steal_ticks=0, frequencies_khz=(), waited_ns=5_000 + waited_ns)
    assert causes(before, after, BLOCK_S) == found, "1 % of a block of 10 ms is 100,000 ns"


def test_waiting_is_summed_over_all_threads(tmp_path: Path, on_core_1: None) -> None:
    for thread, waited_ns in ((11, 300), (12, 4_000)):
        task = tmp_path / f"proc/self/task/{thread}"
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"123456 {waited_ns} 7\n")
    assert Watch(tmp_path).read().waited_ns == 4_300


def machine(root: Path, steal: dict[int, int], khz: dict[int, str]) -> Path:
    """Write the files of a machine whose cores lost so many ticks and run at such clocks."""
    lines = ["cpu  9 9 9 9 9 9 9 9999 9 9"]
    lines += [f"cpu{core} 100 0 50 900 1 0 2 {ticks} 0 0" for core, ticks in steal.items()]
    (root / "proc").mkdir(parents=True, exist_ok=True)
    (root / "proc/stat").write_text("\n".join([*lines, "intr 1 2 3", "ctxt 99"]) + "\n")
    for core, text in khz.items():
        folder = root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scaling_cur_freq").write_text(f"{text}\n")
    return root


@pytest.fixture
def on_core_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1}, raising=False)
    monkeypatch.setattr(disturbance, "_usage", lambda: (3, 50))


def test_only_the_cores_of_this_process_are_watched(tmp_path: Path, on_core_1: None) -> None:
    root = machine(tmp_path, steal={0: 5, 1: 17, 10: 99, 11: 99}, khz={0: "1000000", 1: "2400000"})
    assert Watch(root).read() == Reading(
        switches=3, steal_ticks=17, frequencies_khz=(2_400_000,), cores=(1,), page_faults=50
    )


def test_steal_and_frequency_are_seen_as_they_change(tmp_path: Path, on_core_1: None) -> None:
    watch = Watch(machine(tmp_path, steal={0: 0, 1: 17}, khz={1: "2400000"}))
    before = watch.read()
    machine(tmp_path, steal={0: 80, 1: 17}, khz={1: "2400000"})
    assert causes(before, watch.read(), BLOCK_S) == (), "another core's"
    machine(tmp_path, steal={0: 80, 1: 18}, khz={1: "1200000"})
    assert causes(before, watch.read(), BLOCK_S) == ("steal", "frequency")


def test_the_cores_are_those_that_the_process_is_tied_to_by_then(
    tmp_path: Path, on_core_1: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(machine(tmp_path, steal={0: 5, 1: 17, 2: 40}, khz={}))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2})
    assert (watch.read().cores, watch.read().steal_ticks) == ((0, 2), 45)


def test_a_container_that_used_up_its_quota_is_throttled(tmp_path: Path, on_core_1: None) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (group / "cpu.max").write_text("50000 100000\n")
    (group / "cpu.stat").write_text("usage_usec 9\nnr_periods 20\nnr_throttled 3\nthrottled_usec 70\n")
    watch = Watch(tmp_path)
    before = watch.read()
    assert causes(before, watch.read(), BLOCK_S) == ()
    (group / "cpu.stat").write_text("usage_usec 99\nnr_periods 21\nnr_throttled 4\nthrottled_usec 99\n")
    assert causes(before, watch.read(), BLOCK_S) == ("throttle",)


def test_a_system_that_does_not_tell_is_not_disturbed(tmp_path: Path, on_core_1: None) -> None:
    watch = Watch(tmp_path / "no-such-root")
    assert watch.read() == Reading(switches=3, steal_ticks=0, frequencies_khz=(), cores=(1,), page_faults=50)
    assert causes(watch.read(), watch.read(), BLOCK_S) == ()


@pytest.mark.parametrize("text", ["<unknown>", ""])
def test_a_clock_that_is_not_a_number_is_no_change(tmp_path: Path, on_core_1: None, text: str) -> None:
    watch = Watch(machine(tmp_path, steal={1: 0}, khz={1: text}))
    assert causes(watch.read(), watch.read(), BLOCK_S) == ()


def test_a_kernel_without_a_steal_column_is_not_disturbed(tmp_path: Path, on_core_1: None) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu1 100 0 50 900\n")
    assert Watch(tmp_path).read().steal_ticks == 0


def test_a_system_without_affinity_watches_no_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert Watch(machine(tmp_path, steal={0: 5}, khz={0: "1000000"})).read().frequencies_khz == ()


def test_involuntary_switches_make_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([10, 10, 12])
    monkeypatch.setattr(disturbance, "_usage", lambda: (next(counts), 0))
    watch = Watch(tmp_path)
    first, second, third = watch.read(), watch.read(), watch.read()
    assert causes(first, second, BLOCK_S) == ()
    assert causes(second, third, BLOCK_S) == ("switch",)


@linux_only
def test_this_machine_can_be_read() -> None:
    first, second = Watch().read(), Watch().read()
    assert second.switches >= first.switches >= 0
    assert second.steal_ticks >= first.steal_ticks >= 0


@linux_only
def test_pages_that_a_process_takes_are_counted() -> None:
    watch = Watch()
    before = watch.read()
    with mmap.mmap(-1, 2**20) as taken:
        taken[:: mmap.PAGESIZE] = bytes(2**20 // mmap.PAGESIZE)
    assert watch.read().page_faults > before.page_faults
