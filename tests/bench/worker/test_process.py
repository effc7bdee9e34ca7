from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.core.errors import UnsupportedError, WorkerError
from bench.worker.process import Call, Worker, run_calls

HOST = "tests.bench.hosts:Host"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(HOST)
    yield worker
    worker.close()


def test_a_call_is_answered_from_another_process(worker: Worker) -> None:
    assert worker.call("add", 2, 3) == 5
    assert worker.call("pid") != os.getpid()


def test_reports_come_before_the_answer(worker: Worker) -> None:
    seen: list[tuple[int, int]] = []
    worker.send("count", 5)
    assert worker.receive(report=lambda done, total: seen.append((done, total))) == "counted"
    assert seen[-1] == (5, 5)


def test_a_refusal_keeps_its_class_and_words(worker: Worker) -> None:
    with pytest.raises(UnsupportedError, match="no Linear layers"):
        worker.call("refuse")
    assert worker.call("add", 1, 1) == 2


def test_an_exception_is_named(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="ZeroDivisionError: division by zero"):
        worker.call("stumble")


@pytest.mark.parametrize("method", ["exhaust", "exhaust_torch"])
def test_memory_that_cannot_be_had_is_named_as_such(worker: Worker, method: str) -> None:
    with pytest.raises(WorkerError, match=r"^it ran out of memory \((MemoryError|.*can't allocate memory.*)\)$"):
        worker.call(method)
    assert worker.call("add", 1, 1) == 2, "the process goes on"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("die", "SIGSEGV"), "the process died of SIGSEGV"),
        (("die", "SIGILL"), "died of SIGILL: it used an instruction that this CPU does not have"),
        (("die", "SIGKILL"), "died of SIGKILL, which is how a system that runs out of memory ends a process"),
        (("leave",), "the process ended with code 3"),
    ],
)
def test_a_dead_process_says_how_it_died(worker: Worker, call: tuple[str, ...], reason: str) -> None:
    for _ in range(2):  # the second call finds it dead
        with pytest.raises(WorkerError, match=reason):
            worker.call(*call)


def test_a_hang_is_ended() -> None:
    worker = Worker(HOST, timeout_s=0.2)
    pid = worker.call("pid")
    with pytest.raises(WorkerError, match=r"it hung: no sign of life for 0\.2 s, so its process was ended"):
        worker.call("hang")
    assert not psutil.pid_exists(pid)
    worker.close()


def test_who_reports_is_alive() -> None:
    worker = Worker(HOST, timeout_s=0.4)
    assert worker.call("count_slowly", "5") == "counted"
    worker.close()


def test_one_hang_among_jobs_is_ended_while_another_reports() -> None:
    workers = [Worker(HOST, timeout_s=0.4) for _ in range(3)]
    jobs = [
        Call(workers[0], "count_slowly", ("6",)),
        Call(workers[1], "hang", ()),
        Call(workers[2], "add", (1, 1)),
    ]
    by_position = dict(run_calls(jobs, at_once=2))
    assert (by_position[0], by_position[2]) == ("counted", 2)
    assert "it hung" in str(by_position[1])
    for worker in workers:
        worker.close()


def test_one_crash_among_jobs_leaves_the_others_alone() -> None:
    workers = [Worker(HOST) for _ in range(4)]
    jobs = [Call(worker, "add", (index, 1)) for index, worker in enumerate(workers)]
    jobs[2] = Call(workers[2], "die", ("SIGSEGV",))
    outcomes = dict(run_calls(jobs, at_once=2))
    assert {index: outcome for index, outcome in outcomes.items() if index != 2} == {0: 1, 1: 2, 3: 4}
    assert isinstance(outcomes[2], WorkerError)
    for worker in workers:
        worker.close()


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from bench.worker.process import Worker\n"
        "print('once', flush=True)\n"
        "worker = Worker('bench.worker.preparation_host:PreparationHost')\n"
        "print(worker.call('describe').architecture)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("once") == 1
    assert not done.stderr
