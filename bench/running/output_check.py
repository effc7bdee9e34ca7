"""Whether a variant's outputs can be taken for fp32's: what computes something else is fast and small for nothing."""

from __future__ import annotations

from bench.core.units import percent
from bench.results.evaluation import Evaluation
from bench.results.row import FARTHEST_OUTPUTS, NOT_FP32
from bench.stats.relative_error import relative_error


def warning(baseline: Evaluation, variant: Evaluation) -> str | None:
    """Return a note for a variant of the baseline's weights that puts out NaN, a constant, or what is not fp32's."""
    import numpy as np

    fault = None
    outputs = variant.outputs
    if outputs is not None and baseline.outputs is not None and outputs.size:
        error = relative_error(baseline.outputs, outputs)
        finite = float(np.isfinite(outputs).mean())
        if outputs.shape != baseline.outputs.shape:
            fault = f"those for the example inputs are {outputs.size} numbers, and fp32's {baseline.outputs.size}"
        elif finite < 1 and np.isfinite(baseline.outputs).all():
            fault = f"{percent(1 - finite)} of those for the example inputs are NaN or infinite"
        elif np.ptp(outputs) == 0 < np.ptp(baseline.outputs):
            fault = "those for the example inputs are all the same number"
        elif error is not None and error > FARTHEST_OUTPUTS:
            fault = f"those for the example inputs are {percent(error)} off (root mean square)"
    answers = variant.answers
    if fault is None and answers is not None and baseline.answers is not None and np.ptp(answers) == 0:
        fault = "every example gets the same answer" if np.ptp(baseline.answers) else None
    return fault and f"{NOT_FP32}: {fault}"
