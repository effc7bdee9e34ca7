"""Run files of schema versions 2 to 4, as version 5 has them.

Those runs were timed in few processes, mostly one, and their intervals rested on an assumption about how processes
differ. Their speed-ups are estimated anew from the rounds, so that one definition holds for all that is read; with
fewer than six processes they have no interval and get no verdict.
"""

from __future__ import annotations

import bisect
from typing import Any

from pydantic import ValidationError

from bench.results.latency import Latency, Speedup, plain_estimate, speedup_over


def as_of_now(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an older file under the names of today; what does not fit is left to the validation."""
    rows = content.get("rows")
    references = content.pop("yardsticks", content.get("references", []))
    try:
        if isinstance(rows, list):
            of_model: dict[object, list[dict[str, Any]]] = {}
            for row in rows:
                row.pop("pace", None)
                row.pop("relative_latency", None)
                row["latency"] = _latencies(row.get("latency", {}))
                of_model.setdefault((row.get("task"), row.get("model")), []).append(row)
            for variants in of_model.values():
                _estimate_together(variants)
        for reference in references:
            reference["latency"] = _latencies(reference.get("latency", {}))
    except (AttributeError, TypeError, ValueError, ValidationError):
        pass  # the file is damaged; validating it says where
    return content | {"references": references}


def _latencies(by_size: dict[str, dict[str, Any]]) -> dict[str, Latency]:
    return {size: _latency(values) for size, values in by_size.items()}


def _latency(values: dict[str, Any]) -> Latency:
    changed = {key: value for key, value in values.items() if key not in ("starts", "warm")}
    starts, rounds = values.get("starts", [0]), values.get("rounds", [])
    processes = [max(0, bisect.bisect_right(starts, number) - 1) for number in rounds]
    if values.get("rounds_s"):
        estimate_s = plain_estimate(processes, values["rounds_s"])
    else:
        estimate_s = values["summary"]["median_s"]
    cold = int(not values.get("warm", True))
    return Latency.model_validate(changed | {"processes": processes, "estimate_s": estimate_s, "cold": cold})


def _estimate_together(variants: list[dict[str, Any]]) -> None:
    """Estimate the speed-ups over fp32 from the rounds, and each latency as fp32's divided by its speed-up."""
    baseline: dict[str, Latency] = next((row["latency"] for row in variants if row.get("technique") == "fp32"), {})
    for row in variants:
        speedups = row.get("speedup", {})
        for size in speedups:
            ratio = speedup_over(baseline[size], row["latency"][size]) if size in baseline else None
            if ratio is not None:
                speedups[size] = Speedup.of(ratio)
                estimate_s = baseline[size].estimate_s / ratio.value
                row["latency"][size] = row["latency"][size].model_copy(update={"estimate_s": estimate_s})
