"""Interleaved rounds of processes that are alive at the same time.

A *round* is one block of every participant, in an order shuffled anew. The machine drifts by more than the differences
that matter, so blocks of one round are what is compared. A block that was disturbed from outside, or came out short, is
repeated at once; all readings are kept.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bench.measuring.latency.blocks import BLOCK_S, SHORT, calls_for
from bench.measuring.latency.disturbance import Cause

REPEATS = 2
"""A block that is disturbed so many times more is taken as it is, and said to be disturbed."""
REPEATED_S = 0.1
"""A longer block is not repeated: hardly one of its length is undisturbed on a busy machine, and it takes its time."""

Name = Hashable
"""What a participant is known by, such as the key of a variant."""


class Block(NamedTuple):
    """One reading."""

    elapsed_s: float
    """NaN if the variant failed."""
    causes: tuple[Cause, ...] = ()
    """What disturbed it."""
    page_faults: int = 0
    """Pages that the system handed to the process meanwhile."""


class Participant(Protocol):
    """A variant's process, at one batch size."""

    def time(self, calls: int) -> Block:
        """Time one block of ``calls`` calls."""
        ...


@dataclass
class Blocks:
    """The blocks of one participant in one process, seconds per call."""

    calls: int
    """Per block."""
    rounds_s: list[float] = field(default_factory=list)
    """The block that counts in each round."""
    repeated_s: list[float] = field(default_factory=list)
    """The blocks that were disturbed or short, and therefore repeated."""
    disturbed: list[int] = field(default_factory=list)
    """The rounds whose block was still disturbed after the last repetition."""
    causes: Counter[Cause] = field(default_factory=Counter)
    """How many blocks each cause disturbed."""
    page_faults: list[float] = field(default_factory=list)
    """Of one call in each round, about: those of the lead-in are among them."""


def make_rounds(
    participants: Mapping[Name, Participant],
    calls: Mapping[Name, int],
    number: int,
    rng: random.Random,
    settle: Callable[[], None] = lambda: None,
) -> dict[Name, Blocks]:
    """Make ``number`` rounds with ``calls`` in each one's block; ``settle`` waits until what just ran is at rest."""
    made = {name: Blocks(calls[name]) for name in participants}
    order = list(participants)
    for position in range(number):
        rng.shuffle(order)
        for name in order:
            _time(participants[name], made[name], position, settle)
    return made


def _time(participant: Participant, blocks: Blocks, position: int, settle: Callable[[], None]) -> None:
    for attempt in range(1 + REPEATS):
        block = participant.time(blocks.calls)
        settle()
        call_s = block.elapsed_s / blocks.calls
        blocks.causes.update(block.causes)
        short = block.elapsed_s < SHORT * BLOCK_S
        if attempt == REPEATS or not (block.causes or short) or block.elapsed_s > REPEATED_S:
            break
        blocks.repeated_s.append(call_s)
        if short:
            blocks.calls = calls_for(call_s)
    if block.causes:
        blocks.disturbed.append(position)
    blocks.rounds_s.append(call_s)
    blocks.page_faults.append(block.page_faults / blocks.calls)
