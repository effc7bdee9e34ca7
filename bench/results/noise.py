"""Why a speed-up stayed vaguer than was asked, and what would help: the words of a ``noisy`` row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bench.core.units import percent
from bench.results.latency import Latency, Speedup

DISTURBED_SHARE = 0.2
"""Of all blocks; from here on a cause is taken to be the reason."""

_CAUSES = {
    "steal": "the hypervisor gave the cores to others during {share} of the blocks; an unshared machine would help",
    "switch": "other processes took the cores during {share} of the blocks; end them, or use fewer threads",
    "frequency": "the cores' clock changed during {share} of the blocks; "
    "fix it (cpupower frequency-set --governor performance)",
    "throttle": "the container's CPU quota was used up during {share} of the blocks; give it a larger one",
}


def noisy(
    speedup: Mapping[int, Speedup], latency: Mapping[int, Latency], baseline: Mapping[int, Latency], precision: float
) -> str | None:
    """Return why speed-ups by batch size are not within ±``precision``, in one sentence; ``None`` if they are."""
    vague = {size: value for size, value in speedup.items() if value.half_width > precision}
    if not vague:
        return None
    reached = " and ".join(
        f"known to ±{percent(value.half_width, 2)} at batch {size}" if value.confidence else f"unknown at batch {size}"
        for size, value in vague.items()
    )
    involved = [record[size] for size in vague for record in (latency, baseline)]
    return f"the speed-up is {reached}, where ±{percent(precision, 2)} was asked: {_cause(involved)}"


def _cause(involved: list[Latency]) -> str:
    blocks = sum(len(latency.rounds_s) + len(latency.repeated_s) for latency in involved)
    causes: Counter[str] = Counter()
    for latency in involved:
        causes.update(latency.causes)
    cause, count = max(causes.items(), key=lambda item: item[1], default=("", 0))
    if count > DISTURBED_SHARE * blocks:
        return _CAUSES[cause].format(share=percent(count / blocks, 0))
    if any(latency.cold for latency in involved):
        return "the warm-up did not settle, so model or machine still change; give a longer --budget"
    if min(len(latency.rounds_s) for latency in involved) < 20:
        return "its rounds differ and are few; give a longer --budget"
    return (
        "no counter of this system shows why (a neighbour on the same cache or memory would not); "
        "give a longer --budget, or measure when the machine is quieter"
    )
