"""Reads changed files of one format in a process of its own: ``python -m tests.bench.fuzzing.loop FORMAT COUNT``.

Change number 7 is the same in each run. A file must be read or refused in one line, and what was read must be
rendered, within seconds of CPU time, so that the load of a machine does not matter. Prints an ``Outcome`` as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from random import Random
from types import FrameType
from typing import Any, Final

from tests.bench.fuzzing.formats import Format

FORMATS: Final = {
    "run": "runs:RUN",
    "older run": "runs:OLDER_RUN",
    "pytest-benchmark": "runs:BENCHMARKS",
    "sensitivity": "studies:SENSITIVITY",
    "distillation": "studies:DISTILLATION",
    "selfcheck": "studies:SELFCHECK",
    "fleet": "studies:FLEET",
    "checkpoint": "networks:CHECKPOINT",
    "packed file": "networks:PACKED",
    "training state": "networks:STATE",
}
"""In which module of this package each is; those of networks import torch."""
MOST_CPU_S: Final = 2.0
"""Of reading a file, and of rendering what was read."""
MOST_DRAWING_S: Final = 30.0
DRAWN: Final = 0.01
"""The share of files that are drawn too."""
MOST_MEMORY: Final = 2**32
"""Bytes of data; beyond it an allocation fails, so that a mistake does not take the machine along."""
MOST_FAILURES: Final = 10


@dataclasses.dataclass
class Outcome:
    """What came of the changed files of one format."""

    tried: int = 0
    accepted: int = 0
    """Read, and rendered."""
    slowest_s: float = 0.0
    """CPU seconds of reading a file."""
    imported_bytes: int = 0
    """Resident memory of the process at its peak before the first of them, with all that it imports."""
    peak_bytes: int = 0
    """The same after the last."""
    failures: list[str] = dataclasses.field(default_factory=list)
    """Tracebacks, one a place; none if all was well."""


class TooLongError(BaseException):
    """Raised where the time was over; nothing that takes an ``Exception`` for a damaged file takes it for one."""


@contextlib.contextmanager
def within(cpu_s: float) -> Iterator[None]:
    """Raise ``TooLongError`` in the block after so many CPU seconds."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLongError(f"more than {cpu_s:g} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(chosen: Format, path: Path, unchanged: Any, draws: bool, outcome: Outcome) -> None:
    """Read one file; make of it what can be made."""
    begun = time.process_time()
    try:
        with within(MOST_CPU_S):
            value = chosen.load(path)
    except chosen.refusals as refusal:
        text = str(refusal)
        assert "\n" not in text, text
        assert str(path) in text, text
        return
    finally:
        outcome.slowest_s = max(outcome.slowest_s, time.process_time() - begun)
    with within(MOST_CPU_S):
        chosen.render(value, unchanged, path.parent)
    if draws:
        with within(MOST_DRAWING_S):
            chosen.draw(value, unchanged, path.parent)
    outcome.accepted += 1


def fuzz(name: str, numbers: range) -> Outcome:
    """Try the changes of these numbers."""
    chosen: Format = resolve_name(f"tests.bench.fuzzing.{FORMATS[name]}")
    outcome, places = Outcome(), set[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / chosen.file_name
        contents = chosen.valid(Path(folder))
        unchanged = []
        for content in contents:
            path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
            unchanged.append(chosen.load(path))
            chosen.render(unchanged[-1], unchanged[-1], path.parent)
        chosen.draw(unchanged[0], unchanged[0], path.parent)  # imports what is imported when it is needed
        outcome.imported_bytes = _peak_bytes()
        for number in numbers:
            random = Random(f"{name} {number}")
            which = random.randrange(len(contents))
            path.write_bytes(chosen.change(contents[which], random))
            outcome.tried += 1
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    attempt(chosen, path, unchanged[which], random.random() < DRAWN, outcome)
            except (Exception, TooLongError) as error:
                place = "".join(traceback.format_tb(error.__traceback__)[-2:])
                if place not in places:
                    places.add(place)
                    outcome.failures.append(f"{name}, change {number}\n{traceback.format_exc()}")
                if len(places) == MOST_FAILURES:
                    break
    outcome.peak_bytes = _peak_bytes()
    return outcome


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    _, limit = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, limit))
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    print(json.dumps(dataclasses.asdict(fuzz(sys.argv[1], range(first, first + int(sys.argv[2]))))))
