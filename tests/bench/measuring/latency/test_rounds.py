"""Rounds of participants that take known times: no test sleeps and none measures this machine."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measuring.latency.blocks import BLOCK_S, SHORT
from bench.measuring.latency.disturbance import Cause
from bench.measuring.latency.rounds import REPEATED_S, REPEATS, Block, Blocks, Name, Participant, make_rounds


class FakeParticipant:
    """Takes ``call_s`` a call, times a factor for each block."""

    def __init__(
        self,
        name: str = "a",
        timed: list[str] | None = None,
        call_s: float = 1.0,
        factors: Iterable[float] = (),
        causes: Iterable[tuple[Cause, ...]] = (),
    ) -> None:
        self.name = name
        self.timed = timed if timed is not None else []
        self.call_s = call_s
        self.calls: list[int] = []
        """Of each block."""
        self._factors = itertools.chain(factors, itertools.repeat(1.0))
        self._causes = itertools.chain(causes, itertools.repeat(()))

    def time(self, calls: int) -> Block:
        self.timed.append(self.name)
        self.calls.append(calls)
        return Block(calls * self.call_s * next(self._factors), next(self._causes), page_faults=3 * calls)


def rounds_of(number: int, *participants: FakeParticipant, calls: int = 1, seed: int = 0) -> dict[Name, Blocks]:
    """Make rounds of some participants."""
    named: dict[Name, Participant] = {participant.name: participant for participant in participants}
    return make_rounds(named, dict.fromkeys(named, calls), number, random.Random(seed))


def order_of(seed: int) -> list[str]:
    """Return who was timed, in order, over twenty rounds of four."""
    timed: list[str] = []
    rounds_of(20, *(FakeParticipant(name, timed) for name in "abcd"), seed=seed)
    return timed


def test_every_round_times_every_participant_once_in_a_fresh_order() -> None:
    timed = order_of(seed=0)
    rounds = [tuple(timed[start : start + 4]) for start in range(0, 80, 4)]
    assert all(Counter(once) == Counter("abcd") for once in rounds)
    assert len(set(rounds)) > 5


def test_the_order_follows_from_the_seed() -> None:
    assert order_of(seed=1) == order_of(seed=1)
    assert order_of(seed=1) != order_of(seed=2)


def test_a_round_keeps_the_seconds_of_one_call() -> None:
    blocks = rounds_of(3, FakeParticipant(call_s=0.5), calls=20)["a"]
    assert (blocks.calls, blocks.rounds_s) == (20, [0.5] * 3)
    assert (blocks.repeated_s, blocks.disturbed, blocks.causes) == ([], [], {})


def test_after_each_block_the_threads_come_to_rest() -> None:
    timed: list[str] = []
    participants: dict[Name, Participant] = {name: FakeParticipant(name, timed) for name in "ab"}
    make_rounds(participants, {"a": 1, "b": 1}, 3, random.Random(0), settle=lambda: timed.append("rest"))
    assert timed[1::2] == ["rest"] * 6


# Disturbed blocks


def test_a_disturbed_block_is_repeated_at_once_and_both_readings_are_kept() -> None:
    timed: list[str] = []
    disturbed = FakeParticipant("a", timed, 0.01, factors=(1.0, 3.0), causes=((), ("steal", "switch")))
    made = rounds_of(2, disturbed, FakeParticipant("b", timed, 0.01), calls=2)
    assert "aa" in "".join(timed[2:])
    assert made["a"].rounds_s == pytest.approx([0.01, 0.01])
    assert made["a"].repeated_s == pytest.approx([0.03]), "seconds per call"
    assert made["a"].disturbed == []
    assert made["a"].causes == {"steal": 1, "switch": 1}
    assert made["b"].repeated_s == []


def test_a_long_block_is_not_repeated() -> None:
    blocks = rounds_of(1, FakeParticipant(call_s=2 * REPEATED_S, causes=[("steal",)]))["a"]
    assert (blocks.repeated_s, blocks.disturbed) == ([], [0])


def test_a_block_that_stays_disturbed_is_taken_and_said_to_be() -> None:
    always: Iterable[tuple[Cause, ...]] = itertools.repeat(("frequency",))
    blocks = rounds_of(1, FakeParticipant(call_s=0.01, factors=(5.0, 4.0, 3.0), causes=always))["a"]
    assert REPEATS == 2
    assert blocks.repeated_s == pytest.approx([0.05, 0.04])
    assert blocks.rounds_s == pytest.approx([0.03])
    assert blocks.disturbed == [0]
    assert blocks.causes == {"frequency": 3}


cause_lists = st.lists(st.sampled_from([(), ("steal",), ("switch", "frequency")]), max_size=40)


@given(cause_lists)
def test_no_reading_is_lost_whatever_disturbs(causes: list[tuple[Cause, ...]]) -> None:
    participant = FakeParticipant(factors=itertools.count(1.0), causes=causes)
    made = rounds_of(10, participant)["a"]
    blocks = len(participant.timed)
    assert sorted([*made.rounds_s, *made.repeated_s]) == [float(number) for number in range(1, blocks + 1)]
    assert len(made.rounds_s) == 10
    assert blocks <= 10 * (1 + REPEATS)
    assert sum(made.causes.values()) == sum(len(seen) for seen in causes[:blocks])


# Short blocks


def test_a_short_block_is_sized_again_and_made_again() -> None:
    """It was sized while the call was slower: 10 calls of 0.2 ms are 2 ms, where 10 are promised."""
    participant = FakeParticipant(call_s=2e-4)
    blocks = rounds_of(3, participant, calls=10)["a"]
    assert participant.calls == [10, 55, 55, 55], "it is long enough from then on"
    assert blocks.calls * participant.call_s >= BLOCK_S
    assert blocks.rounds_s == pytest.approx([2e-4] * 3)
    assert blocks.repeated_s == pytest.approx([2e-4])
    assert blocks.disturbed == [], "nothing disturbed it"


def test_page_faults_are_those_of_a_call() -> None:
    assert rounds_of(2, FakeParticipant(call_s=1e-2), calls=10)["a"].page_faults == [3.0, 3.0]


def test_a_block_that_is_nearly_long_enough_stays() -> None:
    participant = FakeParticipant(call_s=1.01 * SHORT * BLOCK_S / 10)
    rounds_of(2, participant, calls=10)
    assert participant.calls == [10, 10]


@given(st.lists(st.floats(min_value=0.01, max_value=100.0), max_size=30), st.integers(min_value=1, max_value=100))
def test_a_short_block_is_repeated_a_bounded_number_of_times(factors: list[float], calls: int) -> None:
    participant = FakeParticipant(call_s=1e-4, factors=factors)
    blocks = rounds_of(5, participant, calls=calls)["a"]
    assert len(blocks.rounds_s) == 5
    assert len(participant.calls) == 5 + len(blocks.repeated_s) <= 5 * (1 + REPEATS)


# Failures


def test_a_participant_that_fails_reads_nan_and_the_others_go_on() -> None:
    dead = FakeParticipant("a", factors=(1.0, math.nan, math.nan))
    made = rounds_of(3, dead, FakeParticipant("b"))
    assert [math.isnan(value) for value in made["a"].rounds_s] == [False, True, True]
    assert len(dead.calls) == 3, "a failure is not repeated"
    assert made["b"].rounds_s == [1.0] * 3
