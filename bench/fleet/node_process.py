"""What processes on nodes have in common: they report as JSON lines, and end with the task that started them."""

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
from types import FrameType
from typing import NoReturn

from bench.core.errors import QuantbenchError
from bench.core.progress import Bars
from bench.core.report import Report
from bench.fleet.node_task import REFUSED, UNFIT

EVERY_S = 2.0
"""The least time between two reports of one stage: each is a message to the driver."""


class UnfitNodeError(QuantbenchError):
    """A node that must not do the job; another may."""


class _StoppedError(BaseException):
    """A kill, as an exception, so that workers are ended."""


class ReportedBars(Bars):
    """Progress as lines of JSON on standard output."""

    def __init__(self) -> None:
        super().__init__("nothing")
        self._said = ""
        self._when = 0.0

    def bar(self, label: str) -> Report:
        """Report a stage: when it begins and ends, and now and then between."""

        def report(done: int, total: int) -> None:
            now = time.monotonic()
            if label != self._said or done == total or now - self._when >= EVERY_S:
                self._said, self._when = label, now
                print(json.dumps({"kind": "at", "label": label, "done": done, "total": total}), flush=True)  # noqa: T201

        return report

    def stage(self, label: str) -> Report:
        """Report it like any other."""
        return self.bar(label)


def serve(carry_out: Callable[[str, Bars], None], request: Path) -> NoReturn:
    """Carry out the request in a file, and exit with 0, or with a sentence and a code of ``node_task``."""
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        carry_out(request.read_text(encoding="utf-8"), ReportedBars())
    except _StoppedError:
        shutil.rmtree(request.parent, ignore_errors=True)  # whoever would tidy up is gone
        sys.exit(128 + signal.SIGTERM)
    except QuantbenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        sys.exit(UNFIT if isinstance(error, UnfitNodeError) else REFUSED)
    sys.exit(0)


def _end_with_parent() -> None:
    """Wait, without taking time, until nobody holds the other end of standard input."""
    while os.read(0, 1):  # not sys.stdin, whose lock would stand in the way at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(signum: int, frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)
    raise _StoppedError
