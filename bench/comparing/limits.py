"""Whether a row may be recommended at all, and whether it keeps to limits of size and latency."""

from __future__ import annotations

from bench.comparing.accuracy_loss import Judgement
from bench.core.units import megabytes, percent, seconds
from bench.core.variant_key import BASELINE
from bench.results.latency import log_seconds
from bench.results.noise import vague_sizes
from bench.results.recommendation import Constraints, Objective
from bench.results.row import NOT_FP32, Row
from bench.results.verdict import NOT_COMPARABLE, Verdict
from bench.stats.ranks import location
from bench.stats.ratio import bounded_exp

FARTHEST_OUTPUTS = 0.5
"""As ``bench.running.output_check``: rows of before it was made have no note of theirs."""


def unfit(row: Row, objective: Objective, batch_size: int, precision: float, verdict: Verdict) -> str | None:
    """Return why a row is never recommended, whatever its figures; ``None`` if it may be.

    ``precision`` is what the run asked for, ``verdict`` that on its latency at the batch size.
    """
    if not row.measured:
        return f"{row.status}: {row.reason}"
    if row.status == "noisy":
        vague = vague_sizes(row.speedup, precision)
        if batch_size in vague or not vague:
            asked = f"its speed-up at batch {batch_size} is not known to the ±{percent(precision, 2)} asked for"
            return f"noisy: {asked if vague else row.reason}"
    if row.simulated:
        return "simulated: float arithmetic stands in for low precision, so its latency is not that of real kernels"
    if fault := row.output_fault:
        return fault
    if row.output_error is not None and row.output_error > FARTHEST_OUTPUTS:
        return f"{NOT_FP32}: they are {percent(row.output_error)} off (root mean square)"
    if objective == "latency" and row.key != BASELINE and verdict.word == NOT_COMPARABLE:
        return verdict.sentence
    needed = {"size": row.file_bytes, "memory": row.peak_memory_bytes}
    if objective in needed and needed[objective] is None:
        return f"its {objective} is not known"
    return None


def size(row: Row, constraints: Constraints) -> Judgement:
    """Say whether its file is small enough."""
    if (most := constraints.max_size_bytes) is None or (row.file_bytes is not None and row.file_bytes <= most):
        return Judgement("met")
    if row.file_bytes is None:
        return Judgement("undecided", "the size of its file is not known")
    return Judgement("missed", f"its file is larger than {megabytes(most)} MB")


def latency(row: Row, constraints: Constraints, batch_size: int) -> Judgement:
    """Say whether the 95 % interval of its latency lies below what is allowed."""
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
