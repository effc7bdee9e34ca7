"""The latencies of all variants of one model, within its budget.

A long measurement continues in fresh processes every few seconds (``rounds.START_S``): a process keeps the bias of
its start, and only other processes show how much that was.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Collection, Sequence

from bench.core.errors import CheckpointError, RequestError, WorkerError
from bench.core.variant_key import BASELINE
from bench.measuring.latency.blocks import LEAD_IN, WarmUp
from bench.measuring.latency.rounds import BASE_ROUNDS, Name, Participant, Rounds, spend
from bench.results import noise
from bench.results.latency import Latency, RelativeLatency, Speedup
from bench.results.settings import Settings
from bench.running.parallel import Parallel, VariantCall
from bench.running.participant import RemoteParticipant, settling
from bench.running.reference import NAME as REFERENCE
from bench.running.reference import ReferenceWorkload
from bench.running.variant_under_test import VariantUnderTest
from bench.stats.describe import run_means
from bench.stats.speedup import between_processes

EXTRA_S = 0.25
"""Spent on a model's precision beyond the least number of rounds, where no budget was given."""


def measure_latency(
    variants: Sequence[VariantUnderTest],
    settings: Settings,
    parallel: Parallel,
    reference: ReferenceWorkload | None = None,
) -> None:
    """Fill in latency, speed-up and, where that stayed imprecise, the status ``noisy``; raises ``RequestError``.

    A reference workload is timed in every round beside the variants, and is given its own latencies.
    """
    start = time.monotonic()
    warm_ups = _warm_up(variants, settings, parallel)
    if reference is not None:
        for batch_size, warm_up in reference.start().items():
            warm_ups[batch_size][REFERENCE] = warm_up
    schedules = {
        batch_size: _rounds(variants, batch_size, warm_ups[batch_size], settings, parallel, reference)
        for batch_size in warm_ups
    }

    def restart(names: Collection[Name]) -> None:
        among = [variant for variant in variants if variant.key in names]
        _start_again(among, parallel)
        for batch_size, later in _warm_up(among, settings, parallel).items():
            for name, warm_up in later.items():
                warm_ups[batch_size][name] = warm_ups[batch_size][name].then(warm_up)
            schedules[batch_size].enter(_participants(among, batch_size))
        if reference is not None and not reference.failed:
            for batch_size, warm_up in reference.start().items():
                warm_ups[batch_size][REFERENCE] = warm_ups[batch_size][REFERENCE].then(warm_up)
                schedules[batch_size].enter(reference.participants(batch_size))

    least = _least_rounds(warm_ups, settings, start, parallel.model)
    for schedule in schedules.values():
        schedule.make(least, list(schedule.series))
    deadline = time.monotonic() + EXTRA_S if settings.budget_s is None else start + settings.budget_s
    spend(
        list(schedules.values()),
        BASELINE,
        living=lambda: [variant.key for variant in variants if variant.worker is not None and not variant.simulated],
        precision=settings.precision,
        deadline=deadline,
        restart=restart,
    )
    for batch_size, schedule in schedules.items():
        for variant in variants:
            if latency := _latency(schedule, variant.key, warm_ups[batch_size], settings):
                variant.latency[batch_size] = latency
        if reference is not None and (latency := _latency(schedule, REFERENCE, warm_ups[batch_size], settings)):
            reference.latency[batch_size] = latency
            _record_relative_latencies(variants, batch_size, schedule)
    for batch_size, schedule in schedules.items():
        _record_speedups(variants, batch_size, schedule)
    _mark_noisy(variants, settings)


def _warm_up(
    variants: Sequence[VariantUnderTest], settings: Settings, parallel: Parallel
) -> dict[int, dict[Name, WarmUp]]:
    """Warm up side by side: that is no measurement, and the last windows must agree whoever runs beside."""
    arguments = (settings.batch_sizes, settings.pinned_cores)
    by_name = {variant.key: warm_ups for variant, warm_ups in parallel.call("warm_up", variants, lambda _: arguments)}
    return {size: {name: warm_ups_of[size] for name, warm_ups_of in by_name.items()} for size in settings.batch_sizes}


def _start_again(variants: Sequence[VariantUnderTest], parallel: Parallel) -> None:
    """Continue in fresh processes: from the packed file, which was verified to be the same, else built again."""
    for variant in variants:
        variant.start_again()
    for method, verified in (("reload", True), ("build", False)):
        among = [variant for variant in variants if variant.verified == verified]
        calls = [
            VariantCall(variant, variant.worker, method, (variant.request,))
            for variant in among
            if variant.worker is not None
        ]
        for call, outcome in parallel.outcomes(calls):
            if isinstance(outcome, CheckpointError):  # it was verified before: this process lacks memory, say
                call.variant.fail(WorkerError(f"it cannot continue in a fresh process ({outcome})"))
            elif isinstance(outcome, Exception):
                call.variant.fail(outcome)


def _participants(variants: Sequence[VariantUnderTest], batch_size: int) -> dict[Name, Participant]:
    return {
        variant.key: RemoteParticipant(variant.worker, batch_size, variant.fail)
        for variant in variants
        if variant.worker is not None
    }


def _rounds(
    variants: Sequence[VariantUnderTest],
    batch_size: int,
    warm_ups: dict[Name, WarmUp],
    settings: Settings,
    parallel: Parallel,
    reference: ReferenceWorkload | None,
) -> Rounds:
    show = parallel.bars.bar(f"time {parallel.model}, batch {batch_size}")
    return Rounds(
        participants=_participants(variants, batch_size)
        | dict(reference.participants(batch_size) if reference else {}),
        calls={technique: warm_up.calls_per_block for technique, warm_up in warm_ups.items()},
        rng=random.Random(f"{settings.seed} {parallel.model} {batch_size}"),
        after_round=lambda done: show(done, max(done, BASE_ROUNDS)),
        settle=settling(settings.threads),
        prior=between_processes(settings.threads),
        always_included=(REFERENCE,),
    )


def _least_rounds(warm_ups: dict[int, dict[Name, WarmUp]], settings: Settings, start: float, name: str) -> int:
    """Return how many rounds to make at each batch size at any precision.

    Raises ``RequestError`` if the budget does not last for a round of each run.
    """
    rounds = max(BASE_ROUNDS, settings.runs)
    if settings.budget_s is None:
        return rounds
    round_s = sum(
        (warm_up.calls_per_block + math.ceil(LEAD_IN * warm_up.calls_per_block)) * warm_up.blocks_s[-1]
        for by_name in warm_ups.values()
        for warm_up in by_name.values()
    )
    spent_s = time.monotonic() - start
    affordable = int((settings.budget_s - spent_s) / round_s) if round_s else rounds
    if affordable < settings.runs:
        raise RequestError(
            f"--budget {settings.budget_s:g} is too short for {name}: warming up took {spent_s:.1f} s, a round takes "
            f"{round_s:.2f} s, of which each of the {settings.runs} runs needs one; "
            f"give {spent_s + 1.5 * round_s * rounds:.1f} or more."
        )
    return min(rounds, affordable)


def _latency(schedule: Rounds, name: Name, warm_ups: dict[Name, WarmUp], settings: Settings) -> Latency | None:
    """Return what was measured of a participant; ``None`` if it failed."""
    if name not in schedule.series:
        return None
    series, warm_up = schedule.series[name], warm_ups[name]
    rounds_s = list(series.rounds_s.values())
    if not rounds_s or math.isnan(sum(rounds_s)):  # it failed among these rounds
        return None
    return Latency(
        runs_s=run_means(rounds_s, settings.runs),
        rounds=list(series.rounds_s),
        rounds_s=rounds_s,
        repeated_s=series.repeated_s,
        disturbed=series.disturbed,
        causes={str(cause): count for cause, count in series.causes.items()},
        starts=[number for number in series.starts if number <= max(series.rounds_s)],
        calls_per_block=series.calls,
        warm_up_s=warm_up.blocks_s,
        warm=warm_up.warm,
    )


def _record_speedups(variants: Sequence[VariantUnderTest], batch_size: int, schedule: Rounds) -> None:
    timed = [variant for variant in variants if batch_size in variant.latency]
    if not any(variant.key == BASELINE for variant in timed):
        return
    for variant in timed:
        if variant.key != BASELINE:
            variant.speedup[batch_size] = Speedup.of(schedule.speedup(BASELINE, variant.key))


def _record_relative_latencies(variants: Sequence[VariantUnderTest], batch_size: int, schedule: Rounds) -> None:
    for variant in variants:
        if batch_size in variant.latency:
            variant.relative_latency[batch_size] = RelativeLatency.of(schedule.log_ratio(variant.key, to=REFERENCE))


def _mark_noisy(variants: Sequence[VariantUnderTest], settings: Settings) -> None:
    baseline = next((variant.latency for variant in variants if variant.key == BASELINE), {})
    for variant in variants:
        reason = noise.noisy(variant.speedup, variant.latency, baseline, settings.precision)
        if variant.status == "ok" and reason is not None and not variant.simulated:
            variant.status, variant.reason = "noisy", reason
