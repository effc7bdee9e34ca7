"""Which cores ``--pin`` means, and that all threads of a process end up on them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.core.errors import RequestError
from bench.measuring.latency import affinity
from bench.measuring.latency.affinity import allowed_cores, can_pin, choose_cores

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
        ("auto", 4, []),  # all are needed: there is nothing to choose
        ("none", 1, []),
        ("0", 1, [0]),
        ("6,1", 2, [1, 6]),
        ("1, 4", 1, [1, 4]),
        ("4,4", 1, [4]),
    ],
)
def test_which_cores_are_meant(four_cores: None, wanted: str, threads: int, cores: list[int]) -> None:
    assert choose_cores(wanted, threads) == cores


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
