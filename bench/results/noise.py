"""Why speed-ups stayed vaguer than was asked, and what would help: what is said of ``noisy`` rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

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


def noisy(speedup: Mapping[int, Speedup], precision: float) -> str | None:
    """Return which speed-ups by batch size are not within ±``precision``, in one sentence; ``None`` if all are."""
    vague = vague_sizes(speedup, precision)
    if not vague:
        return None
    reached = " and ".join(
        f"±{percent(speedup[size].half_width, 2)} at batch {size}"
        if speedup[size].confidence
        else f"an unknown precision at batch {size}"
        for size in vague
    )
    return f"the speed-up is known to {reached}, where ±{percent(precision, 2)} was asked"


def vague_sizes(speedup: Mapping[int, Speedup], precision: float) -> list[int]:
    """Return the batch sizes at which a speed-up is not within ±``precision``; what was retired need not be."""
    return [size for size, value in speedup.items() if value.half_width > precision and not value.retired]


def main_cause(involved: Sequence[Latency]) -> str:
    """Return the main cause of what these latencies differ by, and the advice against it."""
    blocks = sum(len(latency.rounds_s) + len(latency.repeated_s) for latency in involved)
    causes: Counter[str] = Counter()
    for latency in involved:
        causes.update(latency.causes)
    cause, count = max(causes.items(), key=lambda item: item[1], default=("", 0))
    if cause in _CAUSES and count > DISTURBED_SHARE * blocks:
        return _CAUSES[cause].format(share=percent(count / blocks, 0))
    if any(latency.cold for latency in involved):
        return "the warm-up did not settle, so model or machine still change; give a longer --budget"
    return (
        "processes differ, and no counter of this system shows why (a neighbour on the same cache or memory would "
        "not); give a longer --budget, or measure when the machine is quieter"
    )
