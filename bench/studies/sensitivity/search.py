"""Which mixture of techniques is smallest within an allowed loss.

What the layers lose, each alone, is taken to add up. Under that assumption the best mixtures are known exactly: those
that no other beats in both loss and size (a multiple-choice knapsack, whose partial solutions are kept while nothing
dominates them; Nemhauser and Ullmann 1969). They form a ladder, on which measuring starts where the sum just fits.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

FURTHER = 12
"""How many rungs beyond the one that is predicted to fit are tried at most."""


@dataclass(frozen=True)
class Option:
    """What a technique does to one layer alone."""

    technique: str
    lost: int
    """Examples, 0 or more."""
    saved_bytes: int


@dataclass(frozen=True)
class Rung:
    """A mixture and what is expected of it."""

    lost: int = 0
    saved_bytes: int = 0
    layers: Mapping[str, str] = field(default_factory=dict)
    """The techniques of the layers that do not stay float32."""


def ladder(options: Mapping[str, Sequence[Option]]) -> list[Rung]:
    """Return the mixtures that none beats in both loss and size, the largest first; float32 is the first."""
    rungs = [Rung()]
    for layer, choices in options.items():
        more = [
            Rung(
                rung.lost + option.lost, rung.saved_bytes + option.saved_bytes, {**rung.layers, layer: option.technique}
            )
            for rung in rungs
            for option in choices
        ]
        rungs = _undominated([*rungs, *more])
    return rungs if not rungs[0].layers else [Rung(), *rungs]


def climb(rungs: Sequence[Rung], allowed: int, lost: Callable[[Rung], int | None]) -> Rung:
    """Return the highest rung found whose measured loss is at most ``allowed`` examples.

    Starts at the highest that is predicted to fit; from there upwards while the next fits, or downwards in steps that
    double until one does, and by halves between it and the last that did not: of n rungs about 2 log2(n) are measured.
    ``lost`` measures; ``None`` is of one that cannot be made. float32 loses nothing and is not measured.
    """

    def fits(position: int) -> bool:
        if not rungs[position].layers:
            return True
        loss = lost(rungs[position])
        return loss is not None and loss <= allowed

    position = bisect.bisect_right([rung.lost for rung in rungs], allowed) - 1
    if not fits(position):
        return rungs[_below(position, fits)]
    last = min(position + FURTHER, len(rungs) - 1)
    while position < last and fits(position + 1):
        position += 1
    return rungs[position]


def _below(failed: int, fits: Callable[[int], bool]) -> int:
    """Return a position below ``failed`` that fits while the next above it does not; position 0 always fits."""
    step = 1
    while not fits(position := max(0, failed - step)):
        failed, step = position, 2 * step
    while failed - position > 1:
        middle = (position + failed) // 2
        if fits(middle):
            position = middle
        else:
            failed = middle
    return position


def _undominated(rungs: Sequence[Rung]) -> list[Rung]:
    best: list[Rung] = []
    for rung in sorted(rungs, key=lambda rung: (rung.lost, -rung.saved_bytes)):
        if not best or rung.saved_bytes > best[-1].saved_bytes:
            best.append(rung)
    return best
