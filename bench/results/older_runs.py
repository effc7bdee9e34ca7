"""Run files of schema versions 2 to 5, as version 6 has them.

Runs of versions 2 to 4 were timed in few processes, mostly one, and their intervals rested on an assumption about how
processes differ; those of version 5 have intervals of 95 %. The speed-ups of all are estimated anew from the rounds, so
that one definition holds for all that is read; with too few processes they have no interval and get no verdict.
"""

from __future__ import annotations

import bisect
from typing import Any

from pydantic import ValidationError

from bench.core.limits import MAX_BATCH_SIZES
from bench.results.latency import Latency, Speedup, plain_estimate, speedup_over


def as_of_now(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an older file under the names of today; what does not fit is left to the validation."""
    references = content.pop("yardsticks", content.get("references", []))
    rows = _records(content.get("rows"))
    for record in [*rows, *_records(references)]:
        record.pop("pace", None)
        record.pop("relative_latency", None)
        timed = _timed(record)
        timed |= {size: _latency(values) for size, values in timed.items()}
    of_model: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_model.setdefault(f"{row.get('task')}/{row.get('model')}", []).append(row)
    for variants in of_model.values():
        _estimate_together(variants)
    return content | {"references": references}


def _records(values: object) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _timed(record: dict[str, Any]) -> dict[str, Any]:
    by_size = record.get("latency")
    return by_size if isinstance(by_size, dict) and len(by_size) <= MAX_BATCH_SIZES else {}


def _latency(values: Any) -> Any:
    """Return a latency of today, or where the values are damaged what the validation will name the fault of."""
    if not isinstance(values, dict):
        return values
    renamed = {key: value for key, value in values.items() if key not in ("starts", "warm")}
    renamed.setdefault("cold", int(not values.get("warm", True)))
    renamed.setdefault("processes", _processes(values.get("starts", [0]), values.get("rounds", [])))
    renamed["estimate_s"] = 1.0
    try:
        latency = Latency.model_validate(renamed)
    except ValidationError:
        return renamed
    if latency.summary is not None:
        return latency.model_copy(update={"estimate_s": latency.summary.median_s})
    return latency.model_copy(update={"estimate_s": plain_estimate(latency.processes, latency.rounds_s)})


def _processes(starts: Any, rounds: Any) -> list[int]:
    """Return the number of the process of each round, given the first round of each process."""
    try:
        return [max(0, bisect.bisect_right(starts, number) - 1) for number in rounds]
    except TypeError:
        return []


def _estimate_together(variants: list[dict[str, Any]]) -> None:
    """Estimate the speed-ups over fp32 from the rounds, and each latency as fp32's divided by its speed-up."""
    baseline = next((_timed(row) for row in variants if row.get("technique") == "fp32"), {})
    for row in variants:
        speedups, timed = row.get("speedup"), _timed(row)
        if not isinstance(speedups, dict):
            continue
        for size, stored in speedups.items():
            theirs, ours = baseline.get(size), timed.get(size)
            if not (isinstance(theirs, Latency) and isinstance(ours, Latency)):
                continue
            ratio = speedup_over(theirs, ours)
            if ratio is not None:
                retired = isinstance(stored, dict) and stored.get("retired") is True
                speedups[size] = Speedup.of(ratio, retired=retired)
                timed[size] = ours.model_copy(update={"estimate_s": theirs.estimate_s / ratio.value})
