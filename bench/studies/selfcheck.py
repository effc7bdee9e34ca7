"""Carries the self-check out: measures models whose relations are known, as a run would measure a user's."""

from __future__ import annotations

import datetime
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import psutil

from bench.core.errors import RequestError
from bench.core.progress import Bars, display
from bench.measuring import machine
from bench.measuring.latency.affinity import choose_cores
from bench.measuring.latency.rounds import START_S, Rounds
from bench.options.signature import from_options
from bench.options.studies import SelfCheckOptions
from bench.results import verdict
from bench.results.latency import Speedup
from bench.results.selfcheck import Conditions, Plan, SelfCheck, Spread, Truth, Try
from bench.running.participant import RemoteParticipant, settling
from bench.stats.speedup import MIN_ROUNDS, Ratio, between_processes
from bench.worker.messages import PREPARATION_HOST
from bench.worker.process import Worker

HOST = "bench.worker.selfcheck_host:SelfCheckHost"
MANY = 10**9
"""Rounds that no deadline leaves time for."""
Models = dict[str, tuple[str, float]]
"""Technique and planted share of time, by name."""
MODEL, AGAIN, SLOWED, INT8 = "fp32", "fp32 again", "fp32 slowed", "dynamic-qint8"


@from_options(SelfCheckOptions)
def self_check(options: SelfCheckOptions) -> SelfCheck:
    """Find out how far this machine's latencies can be trusted; raises ``RequestError``."""
    threads, plan = options.threads, options.plan or Plan()
    machine.require_threads(threads)
    cores = choose_cores(options.pin, threads)
    start = time.monotonic()
    conditions = _conditions()
    with Bars(display(options.progress)).live() as bars:
        with _worker(PREPARATION_HOST) as worker:
            here = worker.call("describe")
        if not here.quantized_engines:
            raise RequestError("this torch has no quantized engine, and the self-check compares fp32 with int8.")
        check = _Check(threads, cores, plan)
        tries = list(check.tries(bars))
        with _worker(HOST) as worker:
            truths = [Truth(known_s=known, read_s=worker.call("truth", known, cores)) for known in plan.stubs_s]
            cost_s = worker.call("cost")
        spreads = check.spreads(bars)
    return SelfCheck(
        quantbench=version("quantbench"),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=here,
        conditions=conditions,
        threads=threads,
        pinned_cores=cores,
        plan=plan,
        alone=[alone for alone, _ in tries],
        slowed=[slowed for _, slowed in tries],
        truths=truths,
        cost_s=cost_s,
        spreads=spreads,
        blocks=check.blocks,
        disturbed_blocks=check.disturbed_blocks,
        causes=dict(check.causes),
        seconds=time.monotonic() - start,
    )


class _Check:
    """The parts of a self-check that make rounds, and what they saw of disturbances."""

    def __init__(self, threads: int, cores: Sequence[int], plan: Plan) -> None:
        self.blocks = 0
        self.disturbed_blocks = 0
        self.causes: Counter[str] = Counter()
        self._threads = threads
        self._cores = cores
        self._plan = plan

    def tries(self, bars: Bars) -> Iterator[tuple[Try, Try]]:
        """Yield (against itself, against its slowed self), from fresh processes each."""
        show = bars.bar("a model against itself, and slowed")
        for number in range(self._plan.tries):
            show(number, self._plan.tries)
            size = self._plan.try_batch_sizes[number % len(self._plan.try_batch_sizes)]
            end = time.monotonic() + self._plan.try_s
            models = {MODEL: ("fp32", 0.0), AGAIN: ("fp32", 0.0), SLOWED: ("fp32", self._plan.slow_down)}
            [rounds] = self._schedules(models, [size], end, seed=number)
            alone, slowed = rounds.speedup(MODEL, AGAIN), rounds.speedup(MODEL, SLOWED)
            yield _try(size, alone), _try(size, slowed)
        show(self._plan.tries, self._plan.tries)

    def spreads(self, bars: Bars) -> list[Spread]:
        """Measure one speed-up from fresh starts, in turn with torch.utils.benchmark."""
        plan = self._plan
        show = bars.bar("fresh starts, and torch.utils.benchmark")
        ours: dict[int, list[float]] = {size: [] for size in plan.spread_batch_sizes}
        peers: dict[int, list[float]] = {size: [] for size in plan.spread_batch_sizes}
        for number in range(plan.spread_runs):
            show(number, plan.spread_runs)
            end = time.monotonic() + plan.spread_s
            models = {MODEL: ("fp32", 0.0), INT8: ("dynamic-qint8", 0.0)}
            schedules = self._schedules(models, plan.spread_batch_sizes, end, seed=plan.tries + number)
            for size, rounds in zip(plan.spread_batch_sizes, schedules, strict=True):
                ours[size].append(rounds.speedup(MODEL, INT8).value)
            with _worker(HOST) as worker:
                for size in plan.spread_batch_sizes:
                    seconds = plan.spread_s / len(plan.spread_batch_sizes)
                    peers[size].append(worker.call("peer", size, self._threads, seconds))
        show(plan.spread_runs, plan.spread_runs)
        return [Spread(batch_size=size, ours=ours[size], peers=peers[size]) for size in plan.spread_batch_sizes]

    def _schedules(self, models: Models, batch_sizes: Sequence[int], end: float, seed: int) -> list[Rounds]:
        """Return rounds of each batch size, from fresh processes every few seconds until ``end``."""
        starts = max(1, round((end - time.monotonic()) / START_S))
        schedules: list[Rounds] = []
        for start in range(starts):
            now = time.monotonic()
            until = now + (end - now) / (starts - start)
            with self._started(models) as workers:
                blocks = {size: self._blocks(workers, models, size) for size in batch_sizes}
                for position, size in enumerate(batch_sizes):
                    participants = {name: RemoteParticipant(worker, size, _reraise) for name, worker in workers.items()}
                    if start:
                        schedules[position].enter(participants)
                    else:
                        settle = settling(self._threads)
                        rng = random.Random(f"{seed} {size}")
                        schedules.append(
                            Rounds(
                                participants, blocks[size], rng, settle=settle, prior=between_processes(self._threads)
                            )
                        )
                    now = time.monotonic()
                    if not start:
                        schedules[position].make(MIN_ROUNDS, list(models))
                    schedules[position].make(MANY, list(models), now + (until - now) / (len(batch_sizes) - position))
        self._count(schedules)
        return schedules

    @contextmanager
    def _started(self, models: Models) -> Iterator[dict[str, Worker]]:
        workers = {name: Worker(HOST) for name in models}
        try:
            for name, (technique, extra) in models.items():
                workers[name].send("build", technique, self._threads, extra)
            for worker in workers.values():
                worker.receive()
            yield workers
        finally:
            for worker in workers.values():
                worker.close()

    def _blocks(self, workers: dict[str, Worker], models: Models, size: int) -> dict[str, int]:
        """Warm up, and return the calls of each one's block."""
        calls = {name: worker.call("warm_up", size, self._cores).calls_per_block for name, worker in workers.items()}
        # What is the same model must be asked for the same: its calls must not depend on how its warm-up went.
        return {name: calls[MODEL] if models[name][0] == models[MODEL][0] else calls[name] for name in models}

    def _count(self, schedules: Sequence[Rounds]) -> None:
        for series in [series for rounds in schedules for series in rounds.series.values()]:
            self.blocks += len(series.rounds_s) + len(series.repeated_s)
            self.disturbed_blocks += len(series.repeated_s) + len(series.disturbed)
            self.causes.update({str(cause): count for cause, count in series.causes.items()})


def _try(batch_size: int, ratio: Ratio) -> Try:
    return Try(
        batch_size=batch_size,
        value=ratio.value,
        half_width=ratio.half_width,
        p_value=ratio.p_value,
        n=ratio.n,
        word=verdict.speed(Speedup.of(ratio), ratio.p_value).word,
    )


def _reraise(error: Exception) -> NoReturn:
    raise error


@contextmanager
def _worker(host: str) -> Iterator[Worker]:
    worker = Worker(host)
    try:
        yield worker
    finally:
        worker.close()


def _conditions(root: Path = Path("/")) -> Conditions:
    return Conditions(
        load=psutil.getloadavg()[0] if hasattr(psutil, "getloadavg") else None,
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        virtual=None if (info := _text(root / "proc/cpuinfo")) is None else " hypervisor" in info,
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
