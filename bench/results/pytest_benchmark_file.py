"""A file of pytest-benchmark, read as a run.

pytest-benchmark times one test after the other, so no two of its rounds are paired. A speed-up read from it is a ratio
without interval, p-value or verdict (``n`` is 0), and there is none where the file has no single rounds
(``--benchmark-save`` without ``--benchmark-save-data``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.core.errors import RunFileError
from bench.core.units import counted
from bench.core.variant_key import BASELINE, VariantKey
from bench.results.bounds import first_fault, shortened
from bench.results.extra_info import MACHINE_KEY, OWN, ExtraInfo
from bench.results.latency import Latency, Speedup, Summary, plain_estimate
from bench.results.machine import Machine
from bench.results.provenance import Data
from bench.results.pytest_benchmark_schema import Benchmark, Computer, Cpu, Stats
from bench.results.row import Accuracy, Row
from bench.results.run import Run
from bench.results.settings import Settings
from bench.stats.describe import run_means

RUNS = 5
"""Behind each mean ± std, as in ``bench run``; fewer where there are fewer rounds."""
UNKNOWN = "unknown"

Entry = tuple[ExtraInfo, Stats]
"""What we noted of a benchmark, and pytest-benchmark's statistics of it."""


def is_benchmark_file(content: object) -> bool:
    """Return whether parsed JSON is a file of pytest-benchmark."""
    return isinstance(content, dict) and isinstance(content.get("benchmarks"), list) and "machine_info" in content


def read(content: Mapping[str, Any], path: Path) -> Run:
    """Return the content of such a file as a run; raises ``RunFileError``."""
    try:
        return _read(content, path)
    except ValidationError as error:  # each part fits, and their sum does not: too many rows, no numbers of examples
        raise RunFileError(f"{path} makes no run ({first_fault(error)}); measure again.") from error


def _read(content: Mapping[str, Any], path: Path) -> Run:
    entries = _entries(content["benchmarks"], path)
    if not entries:
        raise RunFileError(
            f"{path} is a file of pytest-benchmark without any benchmark of the fixture quantbench; "
            f"measure with that fixture and save again."
        )
    infos = [info for info, _ in entries]
    for setting, noun in (("threads", "numbers of threads"), ("engine", "engines"), ("device", "devices")):
        values = sorted({str(getattr(info, setting)) for info in infos})
        if len(values) > 1:
            shown = shortened(", ".join(values), 200)
            raise RunFileError(
                f"{path} mixes benchmarks of different {noun} ({shown}), which do not compare; "
                f"save each kind in a file of its own, chosen with pytest's -k."
            )
    of_variant: dict[tuple[str, str, VariantKey], list[ExtraInfo]] = {}
    timed: dict[tuple[str, str, VariantKey], dict[int, Latency]] = {}
    for info, stats in entries:
        key = info.task, info.model, info.key
        of_variant.setdefault(key, []).append(info)
        latencies = timed.setdefault(key, {})
        if info.batch_size in latencies:
            raise RunFileError(
                f"{path} has two benchmarks of {info.task}/{info.model} as {info.key} at batch "
                f"{info.batch_size}; tell models apart with quantbench(…, name=…)."
            )
        latencies[info.batch_size] = _latency(info, stats)
    rows = [_row(of_variant[key], latencies, timed) for key, latencies in timed.items()]
    every = [latency for latencies in timed.values() for latency in latencies.values()]
    return Run(
        quantbench=infos[0].quantbench,
        created=shortened(content.get("datetime", UNKNOWN)),
        finished=True,
        timed_by="pytest-benchmark",
        notes=_notes(len(content["benchmarks"]) - len(entries), every),
        machine=_machine(content["machine_info"], path),
        settings=Settings(
            suite="pytest-benchmark",
            models=list(dict.fromkeys(f"{info.task}/{info.model}" for info in infos)),
            techniques=list(dict.fromkeys(info.technique for info in infos)),
            runtimes=list(dict.fromkeys(info.runtime for info in infos)),
            batch_sizes=sorted({info.batch_size for info in infos}),
            runs=min(len(latency.runs_s) for latency in every),
            precision=math.inf,
            budget_s=None,
            timeout_s=math.inf,
            threads=infos[0].threads,
            pinned_cores=[],
            device=infos[0].device,
            engine=infos[0].engine,
            seed=None,
            data=None,
        ),
        data=_data(infos),
        rows=rows,
    )


def _entries(benchmarks: Sequence[Any], path: Path) -> list[Entry]:
    """Return the benchmarks that are ours."""
    entries = []
    for benchmark in benchmarks:
        noted = benchmark.get("extra_info") if isinstance(benchmark, dict) else None
        if not isinstance(noted, dict) or "quantbench" not in noted:
            continue
        try:
            read = Benchmark.model_validate(benchmark)
        except ValidationError as error:
            raise RunFileError(
                f"{path} has a benchmark, {shortened(benchmark.get('fullname', UNKNOWN))}, that cannot be read "
                f"({first_fault(error)}); measure again."
            ) from error
        entries.append((read.extra_info, read.stats))
    return entries


def _latency(info: ExtraInfo, stats: Stats) -> Latency:
    """Return the rounds, or what sums them up where they were not saved."""
    rounds_s = stats.data
    runs_s = run_means(rounds_s, min(RUNS, len(rounds_s))) if rounds_s else [stats.mean]
    summary = Summary(
        mean_s=stats.mean,
        std_s=stats.stddev if stats.rounds > 1 else None,  # it writes 0 for a single round
        median_s=stats.median,
        rounds=stats.rounds,
    )
    processes = [0] * len(rounds_s)
    return Latency(
        estimate_s=plain_estimate(processes, rounds_s) if rounds_s else stats.median,
        runs_s=runs_s,
        rounds=list(range(len(rounds_s))),
        rounds_s=rounds_s,
        processes=processes,
        summary=None if rounds_s else summary,
        calls_per_block=stats.iterations,
        warm_up_s=info.warm_up_s,
        cold=int(not info.warm),
    )


def _row(
    infos: Sequence[ExtraInfo],
    latencies: Mapping[int, Latency],
    timed: Mapping[tuple[str, str, VariantKey], Mapping[int, Latency]],
) -> Row:
    first = infos[0]
    notes = [note for info in infos for note in info.notes]
    notes += [f"the warm-up did not settle at batch {size}" for size, latency in latencies.items() if latency.cold]
    accuracy = None
    if first.correct is not None and first.total is not None:
        accuracy = Accuracy(correct=first.correct, total=first.total)
    baseline = {} if first.key == BASELINE else timed.get((first.task, first.model, BASELINE), {})
    return Row(
        task=first.task,
        model=first.model,
        technique=first.technique,
        runtime=first.runtime,
        scheme=first.scheme,
        dtype=first.dtype,
        status="ok",
        notes=list(dict.fromkeys(notes)),
        simulated=first.simulated,
        size_bytes=first.size_bytes,
        params=first.params,
        layers=first.layers,
        treated=first.treated,
        accuracy=accuracy,
        accuracy_share=None if accuracy else first.accuracy,
        latency=dict(sorted(latencies.items())),
        speedup={
            size: _unpaired(baseline[size], latency)
            for size, latency in sorted(latencies.items())
            if size in baseline and baseline[size].rounds_s and latency.rounds_s
        },
    )


def _unpaired(baseline: Latency, variant: Latency) -> Speedup:
    """Return the ratio of the medians, of which nothing more can be said."""
    value = baseline.estimate_s / variant.estimate_s
    return Speedup(value=value, low=value, high=value, confidence=0.0, p_value=1.0, n=0)


def _notes(left_out: int, latencies: Sequence[Latency]) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"{counted(left_out, 'benchmark')} of this file did not use the fixture quantbench: left out.")
    if any(latency.summary for latency in latencies):
        notes.append(
            "The file does not have each round, so there are no speed-ups; save it with --benchmark-save-data."
        )
    return notes


def _data(infos: Sequence[ExtraInfo]) -> list[Data]:
    """Return where each task's data came from, as far as its tests tell."""
    noted = {info.task: info.data for info in reversed(infos) if info.data is not None}
    return [noted.get(task) or _unknown_data(task) for task in dict.fromkeys(info.task for info in infos)]


def _unknown_data(task: str) -> Data:
    return Data(
        task=task,
        kind="own",
        title="Own models" if task == OWN else task,
        origin="given by the tests",
        note="",
        citation="",
        fingerprint=UNKNOWN,
        train_examples=None,
        test_examples=None,
    )


def _machine(part: Any, path: Path) -> Machine:
    """Return our fingerprint, or what pytest-benchmark's own says of the machine, the rest unknown."""
    try:
        if isinstance(part, dict) and MACHINE_KEY in part:
            return Machine.model_validate(part[MACHINE_KEY])
        known = Computer.model_validate(part or {})
    except ValidationError as error:
        raise RunFileError(
            f"{path} has a machine part that cannot be read ({first_fault(error)}); measure again."
        ) from error
    from bench.results.isa import known_isa

    cpu = known.cpu or Cpu()
    return Machine(
        cpu=cpu.brand_raw or known.processor or UNKNOWN,
        architecture=known.machine or UNKNOWN,
        isa=known_isa(cpu.flags) if cpu.flags else [UNKNOWN],
        physical_cores=None,
        logical_cores=cpu.count,
        memory_bytes=None,
        accelerators=[UNKNOWN],
        os=" ".join(filter(None, (known.system, known.release))) or UNKNOWN,
        python=known.python_version or UNKNOWN,
        torch=UNKNOWN,
        quantized_engines=[UNKNOWN],
        quantized_engine=UNKNOWN,
    )
