"""Whether a row may be recommended at all, and whether it keeps to limits of size and latency."""

from __future__ import annotations

from dataclasses import dataclass

from bench.comparing.accuracy_loss import Judgement
from bench.core.units import megabytes, percent, seconds
from bench.core.variant_key import BASELINE
from bench.results.latency import log_seconds
from bench.results.noise import vague_sizes
from bench.results.recommendation import Constraints, Objective
from bench.results.row import FARTHEST_OUTPUTS, NOT_FP32, Row
from bench.results.verdict import NOT_COMPARABLE, Verdict
from bench.stats.ranks import location
from bench.stats.ratio import bounded_exp


@dataclass(frozen=True)
class Question:
    """What is asked of the rows of a run."""

    objective: Objective
    batch_size: int
    precision: float
    """To which the run was asked to know speed-ups."""
    isa_limit: str
    """What its libraries were told not to go beyond; empty for all that the CPU has."""


def unfit(row: Row, question: Question, verdict: Verdict) -> str | None:
    """Return why a row is never recommended, whatever its figures; ``None`` if it may be.

    ``verdict`` is that on its latency at the batch size.
    """
    if not row.measured:
        return f"{row.status}: {row.reason}"
    if row.status == "noisy" and (reason := _noisy(row, question)):
        return reason
    if row.simulated:
        return "simulated: float arithmetic stands in for low precision, so its latency is not that of real kernels"
    if question.isa_limit:
        return f"emulated: measured with --isa {question.isa_limit}, so its latency is that of no real machine"
    if fault := row.output_fault:
        return fault
    if row.output_error is not None and row.output_error > FARTHEST_OUTPUTS:  # in files of before there was a note
        return f"{NOT_FP32}: they are {percent(row.output_error)} off (root mean square)"
    if question.objective == "latency" and row.key != BASELINE and verdict.word == NOT_COMPARABLE:
        return verdict.sentence
    needed = {"size": row.file_bytes, "memory": row.peak_memory_bytes}
    if question.objective in needed and needed[question.objective] is None:
        return f"its {question.objective} is not known"
    return None


def _noisy(row: Row, question: Question) -> str | None:
    """Return why a noisy row cannot be used; ``None`` if the noise is at another batch size alone."""
    vague = vague_sizes(row.speedup, question.precision)
    if not vague:
        return f"noisy: {row.reason}"
    if question.batch_size not in vague:
        return None
    asked = percent(question.precision, 2)
    return f"noisy: its speed-up at batch {question.batch_size} is not known to the ±{asked} asked for"


def size(row: Row, constraints: Constraints) -> Judgement:
    """Say whether its file is small enough."""
    if (most := constraints.max_size_bytes) is None or (row.file_bytes is not None and row.file_bytes <= most):
        return Judgement("met")
    if row.file_bytes is None:
        return Judgement("undecided", "the size of its file is not known")
    return Judgement("missed", f"its file is larger than {megabytes(most)} MB")


def latency(row: Row, constraints: Constraints, batch_size: int) -> Judgement:
    """Say whether the 99 % interval of its latency lies below what is allowed."""
    if (most := constraints.max_latency_s) is None:
        return Judgement("met")
    timed = row.latency.get(batch_size)
    if timed is None or not timed.rounds_s:
        return Judgement("undecided", f"its latency at batch {batch_size} is not known with its spread")
    estimate = location(log_seconds(timed))
    if not estimate.confidence:
        return Judgement("undecided", "its latency was measured in too few processes to be told from the limit")
    if bounded_exp(estimate.high) <= most:
        return Judgement("met")
    if bounded_exp(estimate.low) > most:
        return Judgement("missed", f"it takes longer than {seconds(most)} at batch {batch_size}")
    return Judgement(
        "undecided", f"its latency cannot be told from {seconds(most)}: measure with a smaller --precision"
    )
