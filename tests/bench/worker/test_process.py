from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
    worker = Worker(HOST)
    pid = worker.call("pid")
    worker.timeout_s = 0.2  # now that it has started, which takes a busy machine longer
    with pytest.raises(WorkerError, match=r"it hung: no sign of life for 0\.2 s, so its process was ended"):
        worker.call("hang")
    assert not psutil.pid_exists(pid)
    worker.close()


class ScriptedWorker(Worker):
    """Says something after each of ``pauses_s`` seconds of a clock that no test waits for, and answers at the last."""

    def __init__(self, clock: FakeClock, pauses_s: Sequence[float]) -> None:
        super().__init__(HOST, timeout_s=10.0)
        self.connection = self  # type: ignore[assignment]
        self.says_at = list(itertools.accumulate(pauses_s))
        self._clock = clock

    def send(self, method: str, *args: object) -> None:
        self.says_at = [self._clock.now_s + at for at in self.says_at]

    def poll(self, timeout_s: float) -> bool:
        return self._clock.wait([self], timeout_s) == [self]

    def recv(self) -> tuple[str, object]:
        del self.says_at[0]
        return ("report", (1, 2)) if self.says_at else ("result", "counted")


class FakeClock:
    """Moves when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, connections: Sequence[ScriptedWorker], timeout: float) -> list[ScriptedWorker]:
        first = min((worker.says_at[0] for worker in connections if worker.says_at), default=math.inf)
        self.now_s = min(first, self.now_s + timeout)
        return [worker for worker in connections if worker.says_at and worker.says_at[0] <= self.now_s]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr("bench.worker.process.time", clock)
    monkeypatch.setattr("bench.worker.process.wait", clock.wait)
    return clock


def test_who_reports_is_alive(clock: FakeClock) -> None:
    worker = ScriptedWorker(clock, [9.0] * 5)
    assert worker.call("count") == "counted"
    assert clock.now_s == 45.0, "each silence was shorter than the 10 s after which a call counts as hung"


def test_who_goes_silent_after_a_report_hangs(clock: FakeClock) -> None:
    worker = ScriptedWorker(clock, [9.0, 11.0])
    with pytest.raises(WorkerError, match=r"it hung: no sign of life for 10 s, so its process was ended"):
        worker.call("count")
    assert clock.now_s == 19.0


def test_one_hang_among_jobs_is_ended_while_another_reports(clock: FakeClock) -> None:
    reporting, silent, quick = (ScriptedWorker(clock, pauses) for pauses in ([9.0] * 5, [11.0], [1.0]))
    ended = []
    for position, outcome in run_calls([Call(worker, "count", ()) for worker in (reporting, silent, quick)], at_once=2):
        ended.append((position, clock.now_s))
        assert ("it hung" in str(outcome)) == (position == 1)
    assert ended == [(1, 10.0), (2, 11.0), (0, 45.0)]


def test_one_crash_among_jobs_leaves_the_others_alone() -> None:
    workers = [Worker(HOST) for _ in range(4)]
    jobs = [Call(worker, "add", (index, 1)) for index, worker in enumerate(workers)]
    jobs[2] = Call(workers[2], "die", ("SIGSEGV",))
    outcomes = dict(run_calls(jobs, at_once=2))
    assert {index: outcome for index, outcome in outcomes.items() if index != 2} == {0: 1, 1: 2, 3: 4}
    assert isinstance(outcomes[2], WorkerError)
    for worker in workers:
        worker.close()


@pytest.mark.slow
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
