"""The latencies of one model's variants, sampled pass after pass (``bench.measuring.latency.sampling``)."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.core.errors import CheckpointError, QuantbenchError, RequestError, WorkerError
from bench.core.variant_key import BASELINE
from bench.measuring.latency.blocks import WarmUp
from bench.measuring.latency.rounds import Name, Participant, make_rounds
from bench.measuring.latency.sampling import (
    FEWEST_PROCESSES,
    Limits,
    Sample,
    Series,
    pause_s,
    rounds_for,
)
from bench.results import noise
from bench.results.latency import Latency, Speedup, plain_estimate
from bench.results.settings import Settings
from bench.running.parallel import Parallel, VariantCall
from bench.running.participant import RemoteParticipant, settling
from bench.running.reference import NAME as REFERENCE
from bench.running.reference import ReferenceWorkload
from bench.running.variant_under_test import VariantUnderTest, end
from bench.stats.describe import run_means


@dataclass
class ModelLatency:
    """One model while its latencies are sampled."""

    name: str
    """As ``task/model``."""
    variants: Sequence[VariantUnderTest]
    settings: Settings
    parallel: Parallel
    sample: Sample = field(init=False)
    references: dict[int, Latency] = field(default_factory=dict)
    """What was measured of the reference workload, by batch size."""

    def __post_init__(self) -> None:
        self.sample = Sample(BASELINE, self.settings.batch_sizes)
        self._take_up()
        self._settle = settling(self.settings.threads)
        self._limits = Limits.of(
            len(self._living()), self.settings.precision, self.settings.budget_s, self.settings.threads
        )
        self._show = self.parallel.bars.bar(f"time {self.name}")

    @property
    def least(self) -> int:
        """How many passes it has at least, which are spread over the time that was asked for."""
        return self._limits.least

    @property
    def is_spread(self) -> bool:
        """Whether it has as many."""
        return self.sample.passes >= self.least

    def is_known(self) -> bool:
        """Return whether no further pass is to be made."""
        return not self._next()

    def make_pass(self) -> None:
        """Sample one process of each variant that needs it; raises ``RequestError`` if the budget is too short."""
        sizes = self._next()
        names = {name for among in sizes.values() for name in among}
        start = time.monotonic()
        among = [variant for variant in self.variants if variant.key in names]
        reference = ReferenceWorkload(self.settings)
        try:
            self._start(among, sizes)
            warm_ups = self._warm_up(among, reference, sizes)
            for size in random.sample(list(sizes), len(sizes)):
                self._make_rounds(
                    size, [variant for variant in among if variant.key in sizes[size]], reference, warm_ups
                )
        finally:
            for variant in among:
                if variant.worker is not None:
                    variant.worker.kill()  # all at once: each takes a while to give its memory back
            reference.close()
            end(among)
        self.sample.end_pass(time.monotonic() - start)
        self._show(self.sample.passes, max(self.sample.passes + 1, self._limits.least))
        self._require_budget()
        self._record()

    def finish(self) -> None:
        """Say which speed-ups stayed less precise than asked."""
        self._show(1, 1)
        for variant in self.variants:
            reason = noise.noisy(variant.speedup, self.settings.precision)
            if variant.status == "ok" and reason is not None and not variant.simulated:
                variant.status, variant.reason = "noisy", reason

    def _take_up(self) -> None:
        """Go on from the processes that an interrupted run has of this model."""
        latencies: dict[Name, Mapping[int, Latency]] = {variant.key: variant.latency for variant in self.variants}
        self.sample.take_up(latencies | {REFERENCE: self.references})

    def _next(self) -> dict[int, list[Name]]:
        undemanding = [variant.key for variant in self.variants if variant.simulated]
        return self.sample.next_pass(self._limits, self._living(), undemanding)

    def _living(self) -> list[Name]:
        return [variant.key for variant in self.variants if variant.status == "ok" and variant.facts is not None]

    def _start(self, variants: Sequence[VariantUnderTest], sizes: Mapping[int, Sequence[Name]]) -> None:
        """Rebuild variants in fresh processes, from packed files that were verified, and let each make first calls."""
        calls = []
        for variant in variants:
            worker = variant.start_again()
            request = dataclasses.replace(variant.request, cores=tuple(self.settings.pinned_cores))
            calls.append(VariantCall(variant, worker, "reload" if variant.verified else "build", (request,)))
        for call, outcome in self.parallel.outcomes(calls):
            if isinstance(outcome, CheckpointError):  # it was verified before: this process lacks memory, say
                call.variant.fail(WorkerError(f"it cannot be rebuilt in a fresh process ({outcome})"))
            elif isinstance(outcome, Exception):
                call.variant.fail(outcome)
        timed = {variant.key: [size for size, names in sizes.items() if variant.key in names] for variant in variants}
        list(self.parallel.call("call_first", variants, lambda variant: (timed[variant.key],)))

    def _warm_up(
        self, variants: Sequence[VariantUnderTest], reference: ReferenceWorkload, sizes: Mapping[int, Sequence[Name]]
    ) -> dict[Name, dict[int, WarmUp]]:
        """Warm up one after the other: what is sized beside others gets blocks that are too short when it is alone."""
        warm_ups: dict[Name, dict[int, WarmUp]] = {}
        for variant in variants:
            timed = [size for size, names in sizes.items() if variant.key in names]
            if variant.worker is not None:
                try:
                    warm_ups[variant.key] = variant.worker.call("warm_up", timed, self.settings.pinned_cores)
                except (WorkerError, QuantbenchError) as error:
                    variant.fail(error)
                self._settle()
        warm_ups[REFERENCE] = dict(reference.start(list(sizes)))
        self._settle()
        return warm_ups

    def _make_rounds(
        self,
        size: int,
        variants: Iterable[VariantUnderTest],
        reference: ReferenceWorkload,
        warm_ups: Mapping[Name, Mapping[int, WarmUp]],
    ) -> None:
        participants: dict[Name, Participant] = {
            variant.key: RemoteParticipant(variant.worker, size, variant.fail)
            for variant in variants
            if variant.worker is not None
        }
        participants |= reference.participants(size)
        of_size = {name: warm_ups[name][size] for name in participants}
        if not of_size:
            return
        first = of_size.get(BASELINE) or next(iter(of_size.values()))
        rng = random.Random(f"{self.settings.seed} {self.name} {size} {self.sample.passes}")
        calls = {name: warm_up.calls_per_block for name, warm_up in of_size.items()}
        number = rounds_for(first.calls_per_block * first.blocks_s[-1])
        self.sample.add(size, of_size, make_rounds(participants, calls, number, rng, self._settle))

    def _require_budget(self) -> None:
        budget_s = self.settings.budget_s
        if budget_s is None or self.sample.passes != 1:
            return
        least_s = FEWEST_PROCESSES * self.sample.spent_s
        if budget_s < least_s:
            raise RequestError(
                f"--budget {budget_s:g} is too short for {self.name}: one process of each variant takes "
                f"{self.sample.spent_s:.1f} s and an interval needs {FEWEST_PROCESSES}; "
                f"give {math.ceil(1.1 * least_s)} or more."
            )

    def _record(self) -> None:
        """Fill in latencies and speed-ups; each latency is fp32's divided by the speed-up: one definition of both.

        A baseline that has failed has no latency any more, and so the others have no speed-up over it.
        """
        has_baseline = BASELINE in self._living()
        for size in self.settings.batch_sizes:
            if series := self.sample.series.get((REFERENCE, size)):
                self.references[size] = self._latency(series)
            baseline = self.sample.series.get((BASELINE, size)) if has_baseline else None
            baseline_s = plain_estimate(baseline.processes, baseline.rounds_s) if baseline else None
            for variant in self.variants:
                series = self.sample.series.get((variant.key, size))
                if series is None or variant.status != "ok":
                    variant.latency.pop(size, None)
                    variant.speedup.pop(size, None)
                    continue
                ratio = None if variant.key == BASELINE else self.sample.speedup(variant.key, size)
                if ratio is not None and baseline_s is not None:
                    retired = (variant.key, size) in self.sample.retired
                    variant.speedup[size] = Speedup.of(ratio, retired=retired)
                    variant.latency[size] = self._latency(series, baseline_s / ratio.value)
                else:
                    variant.speedup.pop(size, None)
                    variant.latency[size] = self._latency(series)

    def _latency(self, series: Series, estimate_s: float | None = None) -> Latency:
        return Latency(
            estimate_s=estimate_s or plain_estimate(series.processes, series.rounds_s),
            runs_s=run_means(series.rounds_s, min(self.settings.runs, len(series.rounds_s))),
            rounds=series.rounds,
            rounds_s=series.rounds_s,
            processes=series.processes,
            repeated_s=series.repeated_s,
            disturbed=series.disturbed,
            causes={str(cause): count for cause, count in series.causes.items()},
            calls_per_block=series.calls,
            warm_up_s=series.warm_up_s,
            cold=series.cold,
            page_faults=series.page_faults,
        )


rest = time.sleep


def sample_latencies(models: Sequence[ModelLatency], after_sweep: Callable[[], None] = lambda: None) -> None:
    """Make passes over all ``models`` until each is known well enough; ``after_sweep`` is called after one over all.

    One model after the other would give each a short time of its own, and the state of a machine lasts for seconds to
    minutes: neighbours in time are no independent sample, and an interval made of them is too narrow. Where the models
    are too few to spread each one's passes, the machine rests between them; not once they are spread, when only
    precision asks for more.
    """
    pending = [model for model in models if not model.is_known()]
    while pending:
        begun = time.monotonic()
        for model in pending:
            model.make_pass()
        after_sweep()
        if pending := [model for model in pending if not model.is_known()]:
            given = pending[0].settings
            least = max(model.least for model in pending)
            spread = all(model.is_spread for model in pending)
            pause = 0.0 if spread else pause_s(given.spread_s, given.budget_s, least)
            rest(max(0.0, pause - (time.monotonic() - begun)))
    for model in models:
        model.finish()
