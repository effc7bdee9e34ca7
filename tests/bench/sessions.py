"""Invented sessions of one machine, with a reference workload and a drift that slows everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.results.latency import Latency, RelativeLatency
from bench.results.row import Accuracy, Row
from bench.results.run import ReferenceLatency, Run
from bench.stats.describe import run_means
from bench.stats.speedup import log_ratio
from tests.bench.examples import FP16, FP32, QINT8, RUN, latency

CALLS_S = {"fp32": 50e-6, "fp16": 49e-6, "dynamic-qint8": 52e-6, "reference": 80e-6}
"""Of batch 1; at batch 64 ten times as much."""


def session(
    seed: int,
    drift: float = 1.0,
    slower: Mapping[str, float] | None = None,
    lost: int = 0,
    rounds: int = 40,
    noise: float = 0.015,
    prior: float = 0.005,
    disturbed: Sequence[int] = (),
) -> Run:
    """Return a run in which the machine is ``drift`` times slower, some techniques are besides, and answers are lost.

    Each process is faster or slower for life by ``prior``, and each block by ``noise``; a tenth of them by much.
    """
    rng = np.random.default_rng(seed)
    times = {
        (name, size): _rounds(rng, base_s * scale * drift * (slower or {}).get(name, 1.0), rounds, noise, prior)
        for name, base_s in CALLS_S.items()
        for size, scale in ((1, 1.0), (64, 10.0))
    }
    rows = [_row(row, times, lost, disturbed) for row in (FP32, FP16, QINT8)]
    beside = {size: _latency(times["reference", size], ()) for size in (1, 64)}
    return RUN.model_copy(update={"rows": rows, "references": [ReferenceLatency(model="mnist/lab1", latency=beside)]})


def _row(row: Row, times: Mapping[tuple[str, int], list[float]], lost: int, disturbed: Sequence[int]) -> Row:
    own = {size: times[row.technique, size] for size in (1, 64)}
    accuracy = Accuracy(correct=(row.accuracy.correct if row.accuracy else 0) - lost, total=10_000)
    relative_latency = {size: RelativeLatency.of(log_ratio(own[size], times["reference", size])) for size in own}
    latencies = {size: _latency(values, disturbed) for size, values in own.items()}
    return row.model_copy(
        update={
            "status": "ok",
            "reason": "",
            "accuracy": accuracy,
            "latency": latencies,
            "relative_latency": relative_latency,
        }
    )


def _rounds(rng: np.random.Generator, call_s: float, rounds: int, noise: float, prior: float) -> list[float]:
    disturbance = np.where(rng.random(rounds) < 0.1, 1 + rng.exponential(0.5, rounds), 1.0)
    times: list[float] = (call_s * rng.lognormal(0, prior) * rng.lognormal(0, noise, rounds) * disturbance).tolist()
    return times


def _latency(rounds_s: list[float], disturbed: Sequence[int]) -> Latency:
    return latency(1.0).model_copy(
        update={
            "runs_s": run_means(rounds_s, 5),
            "rounds": list(range(len(rounds_s))),
            "rounds_s": rounds_s,
            "disturbed": list(disturbed),
        }
    )
