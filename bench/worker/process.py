"""A process that holds one host and answers calls, so that its crash or hang is an answer too.

On Linux workers are forked from a server that has torch imported already; one costs milliseconds, not seconds.
A waiting worker blocks on its pipe and takes no time from the one that is measured.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pkgutil
import random
import signal
import sys
import time
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection, wait
from typing import Any

from bench.core.errors import (
    CheckpointError,
    DataError,
    QuantbenchError,
    RequestError,
    TrainingError,
    UnknownNameError,
    UnsupportedError,
    UserModelError,
    WorkerError,
    WorkerLostError,
)
from bench.core.report import Report
from bench.measuring.isa_limit import VARIABLES
from bench.worker.companion import end_with_the_command, keep_sockets_in_our_folder, keep_to_itself

PRELOADED = ["bench.worker.preload"]
"""Imported once, before the fork."""
REPORT_EVERY_S = 0.1
LAYOUT_BYTES = 1 << 20
"""By so much at most the memory of workers is shifted."""
TIMEOUT_S = 3600.0
"""A call that says nothing for so long counts as hung; a slow download may take most of it."""

_CARRIED = {
    cls.__name__: cls
    for cls in (CheckpointError, DataError, UserModelError, RequestError, TrainingError, UnsupportedError)
}
"""Errors that keep their class on the way from a worker."""


_LIKELY_CAUSES = {
    "SIGKILL": ", which is how a system that runs out of memory ends a process",
    "SIGILL": ": it used an instruction that this CPU does not have",
}

STILL_RUNNING = object()
"""In place of an outcome, after a report."""


def _start_method() -> str:
    # Elsewhere a fork after imports is unsafe (macOS) or impossible (Windows).
    return "forkserver" if sys.platform == "linux" else "spawn"


_limits: list[str] = []
"""Of the server, once it runs."""


def start_server(libraries: Sequence[str] = (), isa_limit: str | None = None) -> None:
    """Start the server that imports torch and other ``libraries`` and forks workers, if it is not running.

    Its libraries are told the ``isa_limit``, empty for none; raises ``RequestError`` if it runs with another.
    """
    if _start_method() != "forkserver":
        return
    from multiprocessing import forkserver

    if isa_limit is not None and _limits not in ([], [isa_limit]):
        raise RequestError("this process has measured with other instruction sets before; start another one for --isa.")
    if not _limits:
        keep_sockets_in_our_folder()
        _limits.append(isa_limit or "")
        os.environ.update(VARIABLES.get(isa_limit or "", {}))

    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOADED, *libraries])
    # A Ctrl-C is meant for the command, which ends its workers itself.
    with _sigint_held_back():
        forkserver.ensure_running()


class Worker:
    """The caller's end of a worker process that holds one ``host``."""

    connection: Connection

    def __init__(self, host: str, timeout_s: float = TIMEOUT_S) -> None:
        """``host`` is ``module:class``, imported by the worker alone, and made with a ``Report``.

        A call that says nothing for ``timeout_s`` seconds counts as hung. The process starts with the first call, so
        that those of many workers start while others are at work.
        """
        self.timeout_s = timeout_s
        self._host = host
        self._closed = False

    @cached_property
    def _process(self) -> Any:
        """Start the process, with this end of its pipe as ``connection``."""
        start_server()
        context = multiprocessing.get_context(_start_method())
        self.connection, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._host, dict(os.environ)), daemon=True)  # type: ignore[attr-defined]
        with _no_main_module():
            process.start()
        theirs.close()
        return process

    def send(self, method: str, *args: object) -> None:
        """Start a call of the host's method; ``receive`` its outcome before the next call."""
        if self._closed:
            raise WorkerError("its process was ended")
        try:
            _ = self._process  # there is no connection before it
            self.connection.send((method, args))
        except OSError:
            raise self._died() from None

    def receive(self, report: Report = lambda done, total: None) -> Any:
        """Wait for the outcome; raises what the host raised, or ``WorkerError`` for a crash or a hang."""
        while True:
            try:
                spoke = self.connection.poll(self.timeout_s)
            except OSError:
                raise self._died() from None
            if not spoke:
                raise self.hung()
            kind, content = self._take()
            if kind != "report":
                return _unpack(kind, content)
            report(*content)

    def receive_one(self, report: Report) -> Any:
        """Take one message that is there: an outcome as of ``receive``, or ``STILL_RUNNING`` after a report."""
        kind, content = self._take()
        if kind != "report":
            return _unpack(kind, content)
        report(*content)
        return STILL_RUNNING

    def call(self, method: str, *args: object) -> Any:
        """Call the host's method and wait for its outcome."""
        self.send(method, *args)
        return self.receive()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kill(self) -> None:
        """Let the process end, if it was started, without waiting for that."""
        if "_process" in self.__dict__ and not self._closed:
            self.connection.close()
            self._process.kill()
        self._closed = True

    def close(self) -> None:
        """End the process, if it was started."""
        self.kill()
        if "_process" in self.__dict__:
            self._process.join()

    def hung(self) -> WorkerLostError:
        """End the process and return the error that says why."""
        self.close()
        return WorkerLostError(f"it hung: no sign of life for {self.timeout_s:g} s, so its process was ended")

    def _take(self) -> tuple[str, Any]:
        try:
            message: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        return message

    def _died(self) -> WorkerLostError:
        self._process.join(timeout=5)
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return WorkerLostError(f"the process died of {name}{_LIKELY_CAUSES.get(name, '')}")
        return WorkerLostError(f"the process ended with code {code}")


def close_all(workers: Iterable[Worker]) -> None:
    """End all processes side by side: the system takes some 10 ms to free the memory of each."""
    workers = list(workers)
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.close()


@dataclass
class Call:
    """One call of one worker, to be made beside others."""

    worker: Worker
    method: str
    args: tuple[object, ...]
    report: Report = field(default=lambda done, total: None)


def run_calls(calls: Sequence[Call], at_once: int) -> Iterator[tuple[int, Any]]:
    """Make the calls, ``at_once`` at a time and in order; yield (position, result or exception) as they end."""
    waiting = list(enumerate(calls))[::-1]
    running: dict[Any, tuple[int, Call]] = {}  # by connection
    silent_until: dict[Any, float] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            position, call = waiting.pop()
            try:
                call.worker.send(call.method, *call.args)
            except WorkerError as error:
                yield position, error
                continue
            running[call.worker.connection] = (position, call)
            silent_until[call.worker.connection] = time.monotonic() + call.worker.timeout_s
        patience_s = min((silent_until[other] for other in running), default=0.0) - time.monotonic()
        for connection in wait(list(running), timeout=max(0.0, patience_s)):
            position, call = running[connection]
            silent_until[connection] = time.monotonic() + call.worker.timeout_s
            try:
                outcome = call.worker.receive_one(call.report)
            except (WorkerError, QuantbenchError) as error:
                outcome = error
                call.report(1, 1)  # ends its progress bar
            if outcome is not STILL_RUNNING:
                del running[connection]
                yield position, outcome
        for connection in [other for other in running if time.monotonic() >= silent_until[other]]:
            position, call = running.pop(connection)
            call.report(1, 1)
            yield position, call.worker.hung()


def _described(error: Exception) -> tuple[str, str]:
    message = str(error) or "no message"
    if "can't allocate memory" in message or "out of memory" in message:  # torch's, a RuntimeError on the CPU
        return "WorkerError", f"it ran out of memory ({message.splitlines()[0]})"
    if isinstance(error, UnknownNameError):  # made of other arguments than a message
        return "RequestError", message
    return type(error).__name__, message


def _unpack(kind: str, content: Any) -> Any:
    if kind == "result":
        return content
    name, message = content
    if name == WorkerError.__name__:
        raise WorkerError(message)
    raise _CARRIED.get(name, WorkerError)(message if name in _CARRIED else f"{name}: {message}")


def _serve(connection: Connection, host_name: str, environment: dict[str, str]) -> None:
    """Answer calls until the caller is gone."""
    os.environ.clear()
    os.environ.update(environment)  # the caller's of now, not of when the server was started
    end_with_the_command()
    keep_to_itself(connection)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        # A lock that a library makes here is unlinked at once then: a process that is ended leaves none behind.
        multiprocessing.set_start_method("fork", force=True)
    # Forked processes have one address layout, which makes some code faster for all of them alike (Mytkowicz, Diwan,
    # Hauswirth and Sweeney 2009). With memory of a random size in the way it becomes noise, which intervals show.
    _in_the_way = bytearray(random.SystemRandom().randrange(LAYOUT_BYTES))
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if (now - last >= REPORT_EVERY_S or done == total) and not connection.closed:
            last = now
            connection.send(("report", (done, total)))

    host = pkgutil.resolve_name(host_name)(report)
    with contextlib.suppress(EOFError, OSError):  # the caller is gone
        while True:
            method, args = connection.recv()
            try:
                answer = ("result", getattr(host, method)(*args))
            except BrokenPipeError:
                raise
            except MemoryError as error:
                answer = ("error", ("WorkerError", f"it ran out of memory ({str(error) or 'MemoryError'})"))
            except Exception as error:
                answer = ("error", _described(error))
            connection.send(answer)
    os._exit(0)


@contextlib.contextmanager
def _sigint_held_back() -> Iterator[None]:
    """Block Ctrl-C: a process started here inherits that for good, this one hears of it at the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep multiprocessing from running the user's script again in the worker: hosts are ours, and importable.

    Without this, a script that calls ``bench.run()`` outside ``if __name__ == "__main__"`` would start itself again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
