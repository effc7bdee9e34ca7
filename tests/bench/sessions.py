"""Invented sessions of one machine, with a reference workload and a drift that slows everything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.results.latency import Latency, Speedup, plain_estimate, speedup_over
from bench.results.row import Accuracy, Row
from bench.results.run import ReferenceLatency, Run
from bench.stats.describe import run_means
from tests.bench.examples import FP16, FP32, QINT8, RUN, latency

CALLS_S = {"fp32": 50e-6, "fp16": 49e-6, "dynamic-qint8": 52e-6, "reference": 80e-6}
"""Of batch 1; at batch 64 ten times as much."""
ROUNDS = 4
"""In each process."""


def session(
    seed: int,
    drift: float = 1.0,
    slower: Mapping[str, float] | None = None,
    lost: int = 0,
    processes: int = 24,
    spread: float = 0.015,
    noise: float = 0.015,
) -> Run:
    """Return a run in which the machine is ``drift`` times slower, some techniques are besides, and answers are lost.

    Each process is faster or slower for life by ``spread``, and each block by ``noise``; a tenth of them by much. The
    machine is slower by up to a half in some passes than in others.
    """
    rng = np.random.default_rng(seed)
    mood = drift * np.repeat(rng.uniform(1, 1.5, processes), ROUNDS)
    times = {
        (name, size): mood * base_s * scale * (slower or {}).get(name, 1.0) * _blocks(rng, processes, spread, noise)
        for name, base_s in CALLS_S.items()
        for size, scale in ((1, 1.0), (64, 10.0))
    }
    latencies = {key: _latency(values.tolist()) for key, values in times.items()}
    rows = [_row(row, latencies, lost) for row in (FP32, FP16, QINT8)]
    beside = {size: latencies["reference", size] for size in (1, 64)}
    return RUN.model_copy(
        update={
            "created": f"session {seed}",
            "rows": rows,
            "references": [ReferenceLatency(model="mnist/lab1", latency=beside)],
        }
    )


def _row(row: Row, latencies: Mapping[tuple[str, int], Latency], lost: int) -> Row:
    timed = {size: latencies[row.technique, size] for size in (1, 64)}
    speedups = {size: speedup_over(latencies["fp32", size], variant) for size, variant in timed.items()}
    accuracy = Accuracy(correct=(row.accuracy.correct if row.accuracy else 0) - lost, total=10_000)
    return row.model_copy(
        update={
            "status": "ok",
            "reason": "",
            "accuracy": accuracy,
            "latency": timed,
            "speedup": {
                size: Speedup.of(value)
                for size, value in speedups.items()
                if value is not None and row.technique != "fp32"
            },
        }
    )


def _blocks(rng: np.random.Generator, processes: int, spread: float, noise: float) -> np.ndarray:
    """Return the factors by which blocks are slower than they might be."""
    blocks = processes * ROUNDS
    disturbance = np.where(rng.random(blocks) < 0.1, 1 + rng.exponential(0.5, blocks), 1.0)
    return np.repeat(rng.lognormal(0, spread, processes), ROUNDS) * rng.lognormal(0, noise, blocks) * disturbance


def _latency(rounds_s: list[float]) -> Latency:
    processes = [number // ROUNDS for number in range(len(rounds_s))]
    return latency(1.0).model_copy(
        update={
            "estimate_s": plain_estimate(processes, rounds_s),
            "runs_s": run_means(rounds_s, min(5, len(rounds_s))),
            "rounds": list(range(len(rounds_s))),
            "rounds_s": rounds_s,
            "processes": processes,
        }
    )
