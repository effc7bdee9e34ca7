"""The worker's side of what a call costs: a model that does nothing, on a runtime, timed as any other is."""

from __future__ import annotations

import statistics

import torch
from torch import nn

from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.core.variant_key import BASELINE
from bench.measuring import tf32
from bench.measuring.latency.timer import timers
from bench.runtimes.base import RUNTIMES, Source, Stored
from bench.storage.graph_cache import GraphCache
from bench.storage.packed import Origin
from bench.techniques.base import TECHNIQUES, Artifact
from bench.worker.messages import CallRequest

BLOCKS = 4
"""As the rounds of a process."""
WIDTH = 16
"""Of the one row of inputs, which come out as they went in."""


class CallHost:
    """Builds, or loads and times, a model that does nothing."""

    def __init__(self, report: Report) -> None:
        pass

    def build(self, request: CallRequest) -> None:
        """Write the runtime's file; raises ``UnsupportedError`` if it cannot take such a model."""
        self._set_torch(request)
        source = Source(
            technique=TECHNIQUES.get(BASELINE.technique),
            convert=_artifact,
            model=_model,
            inputs=_inputs,
            calibration=lambda: [_inputs(1)],
            origin=Origin(model="does/nothing", technique=BASELINE.technique, engine=request.engine),
            cache=lambda: GraphCache(request.graphs, f"nn.Identity, {WIDTH} inputs"),
            isa=request.isa,
            threads=request.threads,
        )
        RUNTIMES.get(request.runtime).build(source, request.path)

    def time(self, request: CallRequest) -> float:
        """Load the file and return the seconds of one call, the median of some blocks."""
        self._set_torch(request)
        technique = TECHNIQUES.get(BASELINE.technique)
        stored = Stored(technique, request.path, _artifact, request.threads, request.cores)
        timer = timers(RUNTIMES.get(request.runtime).load(stored), {1: _inputs(1)}, request.cores)[1]
        calls = timer.warm_up().calls_per_block
        return statistics.median(timer.block(calls).elapsed_s / calls for _ in range(BLOCKS))

    def _set_torch(self, request: CallRequest) -> None:
        torch.set_num_threads(request.threads)
        tf32.turn_off()


def _model() -> nn.Module:
    return nn.Identity().eval()


def _artifact() -> Artifact:
    module = _model()
    return Artifact(module, module)


def _inputs(rows: int) -> Inputs:
    return Inputs((torch.arange(rows * WIDTH, dtype=torch.float32).reshape(rows, WIDTH),))
