"""Rows of invented variants, for tests of what is recommended of them."""

from __future__ import annotations

import math
from typing import Any

from bench.core.variant_key import VariantKey
from bench.results.latency import Latency, Speedup, plain_estimate, speedup_over
from bench.results.row import Accuracy, Row
from bench.results.run import Run
from tests.bench.examples import FP32, RUN, SETTINGS, agreement, latency

EXAMPLES = 10_000
WOBBLE = (-1, -0.7, -0.4, -0.2, 0, 0.1, 0.3, 0.5, 0.8, 1, 0.9, -0.9)
BASE = latency(50e-6).model_copy(
    update={"rounds": list(range(12)), "processes": list(range(12)), "rounds_s": [50e-6] * 12, "estimate_s": 50e-6}
)
FLOAT = FP32.model_copy(
    update={"latency": {1: BASE}, "accuracy": Accuracy(correct=9_700, total=EXAMPLES), "packed_bytes": 1_600_000}
)


def timed(times_faster: float, spread: float = 0.01, shift: int = 0) -> Latency:
    """Return a latency in twelve processes, paired with the baseline's; ``shift`` turns the noise of its processes."""
    noise = [*WOBBLE[shift:], *WOBBLE[:shift]]
    rounds_s = [50e-6 / times_faster * math.exp(spread * step) for step in noise]
    changes = {"rounds_s": rounds_s, "estimate_s": plain_estimate(range(12), rounds_s)}
    return BASE.model_copy(update=changes)


def variant(
    key: str,
    times_faster: float = 2.0,
    lost: int = 0,
    gained: int = 0,
    file_bytes: int = 400_000,
    spread: float = 0.01,
    shift: int = 0,
    **changes: Any,
) -> Row:
    """Return a measured variant, such as ``static-qint8@openvino``."""
    parsed = VariantKey.parse(key)
    of_it = timed(times_faster, spread, shift)
    ratio = speedup_over(BASE, of_it)
    assert ratio is not None
    known = {
        "technique": parsed.technique,
        "runtime": parsed.runtime,
        "latency": {1: of_it},
        "speedup": {1: Speedup.of(ratio)},
        "accuracy": Accuracy(correct=9_700 - lost + gained, total=EXAMPLES),
        "agreement": agreement(EXAMPLES - lost - gained, lost, gained),
        "packed_bytes": None if parsed.runtime != "eager" else file_bytes,
        "deploy_bytes": file_bytes,
    }
    return FLOAT.model_copy(update=known | changes)


def run_of(*rows: Row, **settings: Any) -> Run:
    """Return a run of fp32 on eager and these rows."""
    return RUN.model_copy(update={"rows": [FLOAT, *rows], "settings": SETTINGS.model_copy(update=settings)})
