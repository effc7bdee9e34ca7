"""Which cores ``--pin`` means, and that all threads of a process end up on them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.core.errors import RequestError
from bench.measuring.latency import affinity
from bench.measuring.latency.affinity import allowed_cores, can_pin, choose_cores, pin_each, pin_remarks

linux_only = pytest.mark.skipif(not can_pin(), reason="this system does not pin")


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may use cores 0, 1, 4 and 6 of a larger machine."""
    monkeypatch.setattr(affinity, "allowed_cores", lambda: [0, 1, 4, 6])
    monkeypatch.setattr(affinity, "can_pin", lambda: True)


@pytest.mark.parametrize(
    ("wanted", "threads", "cores"),
    [
        ("auto", 1, [6]),
        ("auto", 2, [4, 6]),
        ("auto", 4, [0, 1, 4, 6]),  # tied too where all are needed
        ("none", 1, []),
        ("0", 1, [0]),
        ("6,1", 2, [1, 6]),
        ("1, 4", 1, [1, 4]),
        ("4,4", 1, [4]),
    ],
)
def test_which_cores_are_meant(four_cores: None, tmp_path: Path, wanted: str, threads: int, cores: list[int]) -> None:
    assert choose_cores(wanted, threads, tmp_path) == cores


@pytest.fixture
def siblings(tmp_path: Path) -> Path:
    """The files of a machine where cores 0 and 1, and 4 and 6, are threads of one physical core."""
    for core, text in {0: "0-1", 1: "0-1", 4: "4,6", 6: "4,6"}.items():
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{text}\n")
    return tmp_path


@pytest.mark.parametrize(("threads", "cores"), [(1, [6]), (2, [1, 6]), (3, [1, 4, 6]), (4, [0, 1, 4, 6])])
def test_auto_takes_one_thread_of_each_physical_core_first(
    four_cores: None, siblings: Path, threads: int, cores: list[int]
) -> None:
    assert choose_cores("auto", threads, siblings) == cores


def test_auto_takes_the_fast_cores(four_cores: None, tmp_path: Path) -> None:
    for core, khz in {0: 5_000_000, 1: 5_000_000, 4: 3_800_000, 6: 3_800_000}.items():
        path = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq"
        path.parent.mkdir(parents=True)
        path.write_text(f"{khz}\n")
    assert choose_cores("auto", 1, tmp_path) == [1]
    assert choose_cores("auto", 3, tmp_path) == [0, 1, 6]


def test_threads_of_one_physical_core_are_remarked(four_cores: None, siblings: Path) -> None:
    [remark] = pin_remarks(choose_cores("4,6", 2, siblings), siblings)
    assert "4+6 are threads of one physical core" in remark
    assert "--threads 1" in remark
    [remark] = pin_remarks(choose_cores("auto", 4, siblings), siblings)
    assert "0+1 and 4+6" in remark
    assert "--threads 2" in remark
    assert pin_remarks([1, 6], siblings) == pin_remarks([], siblings) == []


@pytest.mark.parametrize(
    ("wanted", "threads", "sentence"),
    [
        ("999", 1, "--pin 999: core 999 does not exist here or this process may not use it; it may use 0, 1, 4, 6."),
        ("1,2", 1, "--pin 1,2: core 2 does not exist here or this process may not use it"),
        ("-1", 1, "core -1 does not exist here"),
        ("4", 2, "--pin 4 names 1 of the 2 cores that --threads 2 needs; name more."),
        ("4,4", 2, "--pin 4,4 names 1 of the 2 cores"),
        ("x", 1, "--pin 'x' is not a list of cores; give auto, none, or numbers like 1 or 2,3."),
        ("1,", 1, "is not a list of cores"),
        ("1-3", 1, "is not a list of cores"),
        ("", 1, "is not a list of cores"),
    ],
)
def test_cores_that_cannot_be_had_are_a_sentence(four_cores: None, wanted: str, threads: int, sentence: str) -> None:
    with pytest.raises(RequestError) as refusal:
        choose_cores(wanted, threads)
    assert sentence in str(refusal.value)


def test_a_system_that_cannot_pin_is_left_alone_unless_asked(four_cores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "can_pin", lambda: False)
    assert choose_cores("auto", 1) == choose_cores("none", 1) == []
    with pytest.raises(RequestError, match="does not let a process choose its cores; leave --pin out"):
        choose_cores("1", 1)


def test_cores_are_counted_where_the_system_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert allowed_cores() == [0, 1, 2]


PROGRAM = """
import os, threading
from pathlib import Path
from bench.measuring.latency.affinity import pin

def affinities():
    return {tuple(sorted(os.sched_getaffinity(int(task.name)))) for task in Path("/proc/self/task").iterdir()}

over, started = threading.Event(), threading.Barrier(4)
def idle():
    started.wait()
    over.wait()

threads = [threading.Thread(target=idle) for _ in range(3)]
for thread in threads:
    thread.start()
started.wait()
pin([CORE])
later = threading.Thread(target=over.wait)
later.start()
print(len(list(Path("/proc/self/task").iterdir())), *affinities())
over.set()
"""


@linux_only
def test_all_threads_are_tied_and_later_ones_inherit_it() -> None:
    core = allowed_cores()[-1]
    program = PROGRAM.replace("CORE", str(core))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split(maxsplit=1) == ["5", f"({core},)\n"]


class Threads:
    """Threads of a process that is not there: how long each has been on a core, and what it is tied to."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.tied: dict[int, list[int]] = {}
        monkeypatch.setattr(threading, "get_native_id", lambda: 10)
        monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cores: self.tied.update({thread: list(cores)}))
        monkeypatch.setattr(affinity, "ROOT", root)
        self.spend({10: 5_000, 11: 90_000, 12: 0, 13: 7_000})

    def spend(self, busy_ns: dict[int, int]) -> None:
        for thread, ns in busy_ns.items():
            folder = self.root / f"proc/self/task/{thread}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "schedstat").write_text(f"{ns} 0 0\n")


def test_the_busiest_threads_get_a_core_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(tmp_path, monkeypatch)

    def busy() -> None:
        assert set(map(tuple, threads.tied.values())) == {(2, 3)}, "threads that start now inherit the set"
        threads.spend({10: 9_000, 11: 91_000, 12: 50_000, 13: 27_000})

    pin_each([2, 3], busy, tmp_path)
    assert threads.tied == {10: [2], 12: [3], 11: [2, 3], 13: [2, 3]}, "11 was busy before, not now"


def test_a_thread_that_started_meanwhile_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(tmp_path, monkeypatch)
    pin_each([2, 3, 4], lambda: threads.spend({12: 8_000, 14: 30_000}), tmp_path)
    assert {thread: threads.tied[thread] for thread in (10, 14, 12)} == {10: [2], 14: [3], 12: [4]}


def test_threads_stay_on_the_set_where_nothing_tells_which_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = Threads(tmp_path, monkeypatch)
    for path in tmp_path.rglob("schedstat"):
        path.unlink()
    pin_each([2, 3], lambda: None, tmp_path)
    assert threads.tied == {thread: [2, 3] for thread in (10, 11, 12, 13)}


def test_no_cores_tie_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(tmp_path, monkeypatch)
    pin_each([], lambda: pytest.fail("called"), tmp_path)
    assert threads.tied == {}


def test_one_core_needs_no_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(tmp_path, monkeypatch)
    pin_each([3], lambda: pytest.fail("called"), tmp_path)
    assert threads.tied == {thread: [3] for thread in (10, 11, 12, 13)}


EACH = """
import hashlib, os, threading
from bench.measuring.latency.affinity import pin_each
from bench.measuring.latency.disturbance import Watch

work, done, over = threading.Event(), threading.Event(), threading.Event()
def compute():
    work.wait()
    hashlib.sha256(bytes(50_000_000))
    done.set()
    over.wait()

worker, idle = threading.Thread(target=compute), threading.Thread(target=over.wait)
worker.start(), idle.start()
def busy():
    work.set()
    hashlib.sha256(bytes(50_000_000))
    done.wait()

watch = Watch()
pin_each(CORES, busy)
for thread in (threading.main_thread(), worker, idle):
    print(*sorted(os.sched_getaffinity(thread.native_id)), end=";")
print(*watch.read().cores)
over.set()
"""


@linux_only
@pytest.mark.skipif(len(allowed_cores()) < 2, reason="one core")
def test_a_real_thread_that_computes_gets_a_core_of_its_own_and_the_watch_sees_both() -> None:
    """A watch that was made before sees where the threads are now, not where the first of them is."""
    first, second = allowed_cores()[-2:]
    program = EACH.replace("CORES", f"[{first}, {second}]")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == f"{first};{second};{first} {second};{first} {second}"
