"""Why speed-ups stayed vaguer than was asked, and what would help: what is said of ``noisy`` rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.core.units import percent
from bench.results.latency import Latency, Speedup

BLAMED_SHARE = 0.2
"""Of all blocks, or of the processes of one latency; beyond it a cause is taken to be the reason. Intervals outlive
fewer."""

PAGE_FAULT_S = 0.5e-6
"""What handing a cleared page to a process takes at least; on a virtual machine it is more."""
PAGING_SHARE = 0.05
"""Of a call's time; from here on page faults are taken to be the reason."""

KEPT_MEMORY = {"MALLOC_TOP_PAD_": "67108864"}
"""What tells glibc, in the environment, to keep what it has got of the system."""

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
    if cause in _CAUSES and count > BLAMED_SHARE * blocks:
        return _CAUSES[cause].format(share=percent(count / blocks, 0))
    if faults := max(map(_page_faults, involved), default=0):
        told = " ".join(f"{name}={value}" for name, value in KEPT_MEMORY.items())
        return (
            f"memory is given back to the system and handed out anew in each call, in some processes more than in "
            f"others (up to {faults:,} page faults a call); glibc keeps it with {told} in the environment, here and "
            f"where the model is deployed"
        )
    if any(latency.cold > BLAMED_SHARE * len(set(latency.processes)) for latency in involved):
        return "the warm-up did not settle, so model or machine still change; give a longer --budget"
    return (
        "processes differ, and no counter of this system shows why (a neighbour on the same cache or memory would "
        "not); give a longer --budget, or measure when the machine is quieter"
    )


def _page_faults(latency: Latency) -> int:
    """Return how many pages a call took at most, where they took a part of its time in enough processes."""
    paged = [faults for faults in latency.page_faults if faults * PAGE_FAULT_S >= PAGING_SHARE * latency.estimate_s]
    return max(paged) if len(paged) > BLAMED_SHARE * len(latency.page_faults) else 0
