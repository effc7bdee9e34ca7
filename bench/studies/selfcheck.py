"""Carries the self-check out: default runs of user's models whose variants' relations are known."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.core.errors import RequestError
from bench.core.files import system_text
from bench.core.progress import Bars, display
from bench.core.variant_key import BASELINE, VariantKey
from bench.measuring import machine
from bench.measuring.latency.affinity import choose_cores
from bench.options.run import RunOptions
from bench.options.signature import from_options
from bench.options.studies import SelfCheckOptions
from bench.results.row import Row
from bench.results.run import Run
from bench.results.selfcheck import Comparison, Conditions, KnownRun, Plan, SelfCheck, Truth
from bench.results.verdict import latency_verdicts
from bench.running.execute import Place, execute
from bench.running.plan import spec_of
from bench.runtimes.known import AGAIN
from bench.storage.checkpoint_store import CheckpointStore
from bench.worker import messages
from bench.worker.process import Worker
from bench.worker.user.model import SUITE, UserModel, titles, user_models

HOST = "bench.worker.selfcheck_host:SelfCheckHost"
MODEL_FILE = Path(messages.__file__).with_name("selfcheck_model.py")
INT8 = VariantKey("dynamic-qint8")
TOGETHER = 6
"""Models of one run: the passes of each are then as far apart as those of a run of one model, which rests between."""


@from_options(SelfCheckOptions)
def self_check(options: SelfCheckOptions) -> SelfCheck:
    """Find out how far this machine's latencies can be trusted; raises ``RequestError``."""
    threads, plan = options.threads, options.plan or Plan(slow_down=5 if options.threads == 1 else 10)
    machine.require_threads(threads)
    cores = choose_cores(options.pin, threads)
    start, conditions = time.monotonic(), _conditions()
    with Bars(display(options.progress)).live() as bars:
        with Worker(messages.PREPARATION_HOST) as worker:
            here = worker.call("describe")
        if not here.quantized_engines:
            raise RequestError("this torch has no quantized engine, and the self-check compares fp32 with int8.")
        show = bars.bar("default runs of a model against itself, slowed, and as int8")
        runs: list[KnownRun] = []
        while len(runs) < plan.runs:
            show(len(runs), plan.runs)
            models = min(TOGETHER, plan.runs - len(runs))
            runs += _known_runs(threads, options.pin, plan, models, peers=max(0, plan.peers - len(runs)))
        show(plan.runs, plan.runs)
        with Worker(HOST) as worker:
            truths = [Truth(known_s=known, read_s=worker.call("truth", known, cores)) for known in plan.stubs_s]
            cost_s = worker.call("cost")
    return SelfCheck(
        quantbench=version("quantbench"),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=here,
        conditions=conditions,
        threads=threads,
        pinned_cores=cores,
        plan=plan,
        runs=runs,
        truths=truths,
        cost_s=cost_s,
        seconds=time.monotonic() - start,
    )


def _known_runs(threads: int, pin: str, plan: Plan, count: int, peers: int) -> Iterator[KnownRun]:
    """Make a run as ``bench run`` makes it by default, of so many equal models: each fp32, again, slowed, and int8."""
    again, slowed = VariantKey(BASELINE.technique, AGAIN), VariantKey(BASELINE.technique, f"slower{plan.slow_down}")
    models = _models(count)
    spec = spec_of(
        RunOptions(threads=threads, pin=pin, progress=False),
        suite=SUITE,
        models=[model.name for model in models],
        variants=[BASELINE, again, slowed, INT8],
        **titles(models),
    )
    start = time.monotonic()
    run = execute(spec, CheckpointStore.of_user(), Place(user_models=models, progress=False))
    seconds = (time.monotonic() - start) / count
    for number, model in enumerate(models):
        rows = [row for row in run.rows if row.model == model.name_in_task]
        of_model = run.model_copy(update={"rows": rows})
        timed = [latency for row in rows for latency in row.latency.values()]
        yield KnownRun(
            again=_comparisons(of_model, again),
            slowed=_comparisons(of_model, slowed),
            int8=_comparisons(of_model, INT8),
            peer=_peer(of_model, threads, seconds) if number < peers else {},
            seconds=seconds,
            blocks=sum(len(latency.rounds_s) + len(latency.repeated_s) for latency in timed),
            disturbed_blocks=sum(len(latency.repeated_s) + len(latency.disturbed) for latency in timed),
        )


def _models(count: int) -> Sequence[UserModel]:
    [model] = user_models([f"{MODEL_FILE}:build"], {"inputs": f"{MODEL_FILE}:inputs"}, [])
    return [dataclasses.replace(model, name_in_task=f"{model.name_in_task}-{number}") for number in range(count)]


def _comparisons(run: Run, key: VariantKey) -> dict[int, Comparison]:
    row = next(row for row in run.rows if row.key == key)
    if not row.measured:
        raise RequestError(f"the self-check's {key} could not be measured ({row.reason}); measure on another machine.")
    return {size: _comparison(run, row, size) for size in run.settings.batch_sizes}


def _comparison(run: Run, row: Row, size: int) -> Comparison:
    verdict = latency_verdicts(run.rows, size)[run.rows.index(row)]
    speedup = row.speedup[size]
    return Comparison(speedup=speedup, word=verdict.word, noisy=speedup.half_width > run.settings.precision)


def _peer(run: Run, threads: int, seconds: float) -> dict[int, Any]:
    with Worker(HOST) as worker:
        sizes = run.settings.batch_sizes
        return {size: worker.call("peer", size, threads, seconds / len(sizes)) for size in sizes}


def _conditions() -> Conditions:
    cpus = system_text(Path("/proc/cpuinfo"))
    return Conditions(
        load=psutil.getloadavg()[0] if hasattr(psutil, "getloadavg") else None,
        governor=system_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or None,
        virtual=" hypervisor" in cpus if cpus else None,
    )
