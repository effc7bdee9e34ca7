"""Hosts that misbehave on purpose; worker processes import them by name."""

from __future__ import annotations

import os
import signal
import threading

from bench.errors import UnsupportedError
from bench.worker import Report


class Host:
    """Answers, reports, refuses, raises, crashes, hangs."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def add(self, a: int, b: int) -> int:
        return a + b

    def pid(self) -> int:
        return os.getpid()

    def count(self, total: int) -> str:
        for done in range(1, total + 1):
            self._report(done, total)
        return "counted"

    def refuse(self) -> None:
        raise UnsupportedError("this model has no Linear layers")

    def stumble(self) -> None:
        raise ZeroDivisionError("division by zero")

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave(self) -> None:
        os._exit(3)

    def hang(self) -> None:
        threading.Event().wait()
