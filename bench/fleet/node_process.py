"""What processes on nodes have in common: they take requests, report as JSON lines, and end with their task."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn

from bench.core.errors import QuantbenchError, WorkerError, WorkerLostError
from bench.core.progress import Bars
from bench.core.report import Report
from bench.fleet.node_child import KILLED, REFUSED, UNFIT, Event

EVERY_S = 2.0
"""The least time between two reports of one stage: each is a message to the driver."""

Say = Callable[[Event], None]


class UnfitNodeError(QuantbenchError):
    """A node that must not do the job; another may."""


class _StoppedError(BaseException):
    """A kill, as an exception, so that workers are ended."""


class ReportedBars(Bars):
    """Progress as events."""

    def __init__(self, say: Say) -> None:
        super().__init__("nothing")
        self._say = say
        self._said = ""
        self._when = 0.0

    def bar(self, label: str) -> Report:
        """Report a stage: when it begins and ends, and now and then between."""

        def report(done: int, total: int) -> None:
            now = time.monotonic()
            if label != self._said or done == total or now - self._when >= EVERY_S:
                self._said, self._when = label, now
                self._say({"kind": "at", "label": label, "done": done, "total": total})

        return report

    def stage(self, label: str) -> Report:
        """Report it like any other."""
        return self.bar(label)


def serve(carry_out: Callable[[str, Bars], None]) -> NoReturn:
    """Carry out requests, whose files are named on standard input, a line each, until its end.

    What becomes of each is an event of kind ``end``. An exception that no user could correct ends the process.
    """
    signal.signal(signal.SIGTERM, _stop)
    say = _events()
    requests: SimpleQueue[Path] = SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    request = None
    try:
        while True:
            request = requests.get()
            code, reason = _outcome(carry_out, request, ReportedBars(say))
            say({"kind": "end", "code": code, "reason": reason})
    except _StoppedError:
        if request is not None:
            shutil.rmtree(request.parent, ignore_errors=True)  # whoever would tidy up is gone
        sys.exit(128 + signal.SIGTERM)


def _outcome(carry_out: Callable[[str, Bars], None], request: Path, bars: Bars) -> tuple[int, str]:
    """Return 0, or a code of ``node_child`` and a sentence."""
    try:
        carry_out(request.read_text(encoding="utf-8"), bars)
    except UnfitNodeError as error:
        return UNFIT, str(error)
    except WorkerLostError as error:
        return KILLED, str(error)
    except (QuantbenchError, WorkerError) as error:
        return REFUSED, str(error)
    return 0, ""


def _events() -> Say:
    """Return what writes events to standard output; what libraries and users' models print goes to the errors."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(event: Event) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    return say


def _read(requests: SimpleQueue[Path]) -> None:
    """Take requests as they come, without taking time, and end this process once nobody can send one any more."""
    with open(0, "rb", closefd=False) as lines:  # not sys.stdin, whose lock would stand in the way at the end
        for line in lines:
            requests.put(Path(os.fsdecode(line.rstrip(b"\n"))))
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(signum: int, frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)
    raise _StoppedError
