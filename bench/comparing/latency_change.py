"""What became of the latencies of one model between two runs of one machine.

A latency is held against the reference of its own rounds, so that a machine which was slower altogether has changed
nothing (``bench.stats.change.time_change``). Where a run has none, or most blocks were disturbed, so much is allowed
for drift that a factor of some 2 is the least that can be told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.units import counted, seconds
from bench.core.variant_key import VariantKey
from bench.results.change import Change, ChangeWord
from bench.results.latency import Latency
from bench.results.row import Row
from bench.results.verdict import p_text
from bench.stats.change import BETWEEN_SESSIONS, DRIFT, in_seconds, least_growth, time_change
from bench.stats.multiple_tests import ALPHA, holm, holm_levels
from bench.stats.speedup import LogRatio

DISTURBED_SHARE = 0.5
"""Of the rounds; from here on the fastest quarter may be made of disturbed blocks, and says little."""


@dataclass(frozen=True)
class Way:
    """By what two latencies were held against each other."""

    words: str
    advice: str
    """What would tell smaller changes."""
    prior: float
    """What is allowed for how sessions differ, see ``bench.stats.change``."""


RELATIVE = Way(
    "by the reference workload", "measure both runs with --precision 1% and a longer --budget", BETWEEN_SESSIONS
)
DISTURBED = Way(
    "by the reference workload, but most blocks were disturbed",
    "measure both runs while nothing else runs",
    DRIFT,
)
PLAIN = Way(
    "in seconds, without a reference workload",
    "measure both runs with 'bench run', which times a reference workload",
    DRIFT,
)
UNKEPT = Way("in seconds, of rounds that were not kept", "measure both runs with 'bench run', which keeps them", DRIFT)


@dataclass(frozen=True)
class _Pair:
    """One row's latency in two runs."""

    variant: VariantKey
    was_s: float
    now_s: float
    before: LogRatio
    after: LogRatio
    way: Way


def latency_changes(
    model: str, rows: Sequence[tuple[Row, Row]], size: int, references: Sequence[Latency]
) -> Iterator[Change]:
    """Judge the latencies of a model's rows at one batch size as one family; ``references`` are those of both runs."""
    pairs = [pair for before, after in rows if (pair := _pair(before, after, size, references)) is not None]
    ratios = [time_change(pair.before, pair.after, pair.way.prior) for pair in pairs]
    adjusted_p = holm([ratio.p_value for ratio in ratios])
    for pair, ratio, adjusted, level in zip(pairs, ratios, adjusted_p, holm_levels(adjusted_p), strict=True):
        word: ChangeWord = "not comparable"
        if ratio.confidence:
            word = "no difference detected" if adjusted >= ALPHA else "slower" if ratio.value > 1 else "faster"
        change = Change(
            model=model,
            variant=pair.variant,
            quantity="latency",
            batch_size=size,
            before=pair.was_s,
            after=pair.now_s,
            value=ratio.value - 1,
            low=ratio.low - 1 if ratio.confidence else None,
            high=ratio.high - 1 if ratio.confidence else None,
            p_value=adjusted if ratio.confidence else None,
            least=least_growth(pair.before, pair.after, level, pair.way.prior),
            advice=pair.way.advice,
            word=word,
            sentence="",
        )
        why = p_text(adjusted) if ratio.confidence else f"{counted(ratio.n, 'round')} are too few"
        times = f"{seconds(pair.was_s)} and {seconds(pair.now_s)}"
        sentence = f"latency at batch {size}: {word}, {change.figure} {pair.way.words} ({times}), {why}"
        yield change.model_copy(update={"sentence": sentence})


def call_s(row: Row, size: int) -> float | None:
    """Return the seconds of a call; ``None`` too for a simulation, whose seconds say nothing."""
    return row.latency[size].typical_s if size in row.latency and not row.simulated else None


def _pair(before: Row, after: Row, size: int, references: Sequence[Latency]) -> _Pair | None:
    was_s, now_s = call_s(before, size), call_s(after, size)
    if was_s is None or now_s is None:
        return None
    times = before.latency[size], after.latency[size]
    if size in before.relative_latency and size in after.relative_latency:
        judged = (*times, *references)
        disturbed = any(len(latency.disturbed) > DISTURBED_SHARE * len(latency.rounds) for latency in judged)
        was, now, way = (
            before.relative_latency[size].log_ratio,
            after.relative_latency[size].log_ratio,
            DISTURBED if disturbed else RELATIVE,
        )
    else:
        was, now = _in_seconds(times[0], was_s), _in_seconds(times[1], now_s)
        way = PLAIN if was.n and now.n else UNKEPT
    return _Pair(after.key, was_s, now_s, was, now, way)


def _in_seconds(latency: Latency, call: float) -> LogRatio:
    return in_seconds(latency.rounds_s) if latency.rounds_s else LogRatio(math.log(call), None, 0.0, 0)
