"""What this machine is, asked of a worker: the command itself does not import torch."""

from __future__ import annotations

from bench.core.progress import Bars
from bench.results.machine import Machine
from bench.worker.messages import PREPARATION_HOST
from bench.worker.process import Worker


def describe(bars: Bars) -> Machine:
    """Describe it; the first worker is the one that waits for the import of torch."""
    show = bars.bar("import torch")
    show(0, 1)
    with Worker(PREPARATION_HOST) as worker:
        here: Machine = worker.call("describe")
    show(1, 1)
    return here
