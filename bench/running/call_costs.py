"""What a call of a model that does nothing takes on each runtime of a run: a part of every latency."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import QuantbenchError, WorkerError
from bench.core.progress import Bars
from bench.results.machine import Machine
from bench.results.row import Row
from bench.results.settings import Settings
from bench.runtimes.base import RUNTIMES
from bench.tasks.source import cache_folder
from bench.worker.messages import CALL_HOST, CallRequest
from bench.worker.process import Worker

PROCESSES = 3
"""Of each runtime."""


def call_costs(rows: Sequence[Row], settings: Settings, here: Machine, folder: Path, bars: Bars) -> dict[str, float]:
    """Return the seconds of such a call by runtime, of those that have measured rows; nothing if that is one alone.

    A runtime that cannot take such a model is left out. Files are written to ``folder``.
    """
    measured = dict.fromkeys(row.runtime for row in rows if row.measured)
    names = [name for name in measured if not RUNTIMES.get(name).hidden]
    if len(names) < 2 or settings.device != "cpu":
        return {}
    show = bars.stage("time calls that do nothing")
    costs = {}
    for position, name in enumerate(names):
        show(position, len(names))
        request = CallRequest(
            runtime=name,
            path=folder / f"nothing-{name}",
            graphs=cache_folder() / "graphs",
            isa=frozenset(here.isa),
            threads=settings.threads,
            cores=tuple(settings.pinned_cores),
            engine=settings.engine,
        )
        try:
            _in_a_process("build", request, settings.timeout_s)
            costs[name] = statistics.median(
                _in_a_process("time", request, settings.timeout_s) for _ in range(PROCESSES)
            )
        except (WorkerError, QuantbenchError):  # it cannot take such a model; what it can take is in the rows
            continue
    show(1, 1)
    return costs


def _in_a_process(method: str, request: CallRequest, timeout_s: float) -> float:
    with Worker(CALL_HOST, timeout_s) as worker:
        seconds: float = worker.call(method, request)
    return seconds
