"""What of one technique is farthest from what 8 bits promise, and the measurement that would explain it.

A quarter of the bits promises a call that is no slower, and at most four times as fast, with the same answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.variant_key import BASELINE, EAGER
from bench.report.findings.axes import PROMISED, error_factor
from bench.report.findings.batch_sizes import reads_weights
from bench.report.findings.finding import Finding
from bench.report.findings.follow_up import batches_between, per_channel, powers_between
from bench.report.findings.judged import Judged
from bench.report.findings.slower import causes
from bench.results.run import Run
from bench.results.verdict import UNDECIDED

RUNTIMES = (EAGER, "onnxruntime", "inductor")
"""Those that have dynamic and static int8, for a second opinion."""


@dataclass(frozen=True)
class _Surprise:
    factor: float
    """How far from what is promised."""
    explained: bool
    """Whether its row, or the machine, says why."""
    observation: Finding
    experiment: Finding


def surprise(run: Run, judged: Sequence[Judged], group: Sequence[Judged]) -> Iterator[Finding]:
    """Find the most surprising of a technique's figures and the experiment that it asks for.

    What nothing explains goes before what something does. Without a surprise, the least speed-up is named.
    """
    surprises = [*_speeds(run, group), *_answers(judged, group)]
    if surprises:
        most = max(surprises, key=lambda one: (not one.explained, one.factor))
        yield most.observation
        yield most.experiment
    elif timed := [(one, size) for one in group for size in one.speed]:
        least, at = min(timed, key=lambda pair: pair[0].speedup(pair[1]).value)
        yield Finding("nothing surprising", (least.row,), {"batch": at, "speedup": least.speedup(at)})
        yield _elsewhere(run, least, least.row.technique)


def _speeds(run: Run, group: Sequence[Judged]) -> Iterator[_Surprise]:
    tiles = any("AMX" in flag for flag in run.machine.isa)  # whose int8 products are more than four times as fast
    for one in group:
        for size in one.speed:
            value = one.speedup(size).value
            if one.slower(size):
                why = causes(run, one, size)
                figures = {
                    "batch": size,
                    "speedup": one.speedup(size),
                    "causes": why,
                    "baseline_s": one.baseline_s(size),
                }
                experiment = batches_between(one) or _elsewhere(run, one, one.row.technique, slow=True)
                explained = bool(set(why) - {"small model"})
                yield _Surprise(1 / value, explained, Finding("surprisingly slow", (one.row,), figures), experiment)
            elif one.faster(size) and one.speedup(size).low > PROMISED and not tiles:
                yield _fast(run, one, size)


def _fast(run: Run, one: Judged, size: int) -> _Surprise:
    """Ask whether fp32 waits for its weights, if a call is mostly the reading of them, else whether it is slow here."""
    call_s = (one.baseline_s(size), one.row.latency[size].estimate_s if size in one.row.latency else None)
    figures: dict[str, object] = {"batch": size, "speedup": one.speedup(size)}
    experiment = _elsewhere(run, one, BASELINE.technique)
    if size == min(one.speed) and reads_weights(one) and None not in call_s:
        figures["call_s"] = call_s
        experiment = Finding("weights in the cache", (one.row,), {"batches": powers_between(size, max(64, *one.speed))})
    rows = (one.row, *((one.baseline,) if one.baseline else ()))
    factor = one.speedup(size).value / PROMISED
    return _Surprise(factor, False, Finding("surprisingly fast", rows, figures), experiment)


def _elsewhere(run: Run, one: Judged, technique: str, slow: bool = False) -> Finding:
    """Ask for a technique on another runtime, or, where the run has those, for the layers."""
    measured = {row.runtime for row in run.rows if row.full_model == one.model and row.technique == technique}
    others = [runtime for runtime in RUNTIMES if runtime not in measured]
    if not others:
        return Finding("which layers", (one.row,))
    return Finding("another runtime", (one.row,), {"of": technique, "runtime": others[0], "slow": slow})


def _answers(judged: Sequence[Judged], group: Sequence[Judged]) -> Iterator[_Surprise]:
    measured = {one.row.technique for one in judged}
    for one in group:
        factor = error_factor(one)
        if factor is None or one.accuracy is None or one.accuracy.word == UNDECIDED:
            continue
        experiment = per_channel(one, measured) or Finding("which layers", (one.row,))
        figures = {"word": one.accuracy.word, "points": one.points, "factor": factor}
        observation = Finding("surprising accuracy", (one.row,), figures)
        yield _Surprise(max(factor, 1 / factor), False, observation, experiment)
