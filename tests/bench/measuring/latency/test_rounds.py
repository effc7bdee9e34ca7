"""Rounds of fake participants on a fake clock: who is timed when, how often, and until when."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measuring.latency import rounds
from bench.measuring.latency.disturbance import Cause
from bench.measuring.latency.rounds import MORE_ROUNDS, REPEATS, START_S, START_SHARE, Block, Rounds
from bench.stats.speedup import Ratio

Event = tuple[str, str]
"""What was done, and to whom."""


class FakeClock:
    """Stands still until a block moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class FakeEntrant:
    """Takes ``cost_s`` a call, times a factor for each block; writes down what is done to it."""

    def __init__(
        self,
        name: str,
        events: list[Event] | None = None,
        clock: FakeClock | None = None,
        cost_s: float = 1.0,
        factors: Iterable[float] = (),
        causes: Iterable[tuple[Cause, ...]] = (),
    ) -> None:
        self.name = name
        self.events = events if events is not None else []
        self.clock = clock or FakeClock()
        self.cost_s = cost_s
        self._factors = itertools.chain(factors, itertools.repeat(1.0))
        self._causes = itertools.chain(causes, itertools.repeat(()))

    def begin_reallocation(self) -> None:
        self.events.append(("begin", self.name))

    def end_reallocation(self) -> None:
        self.events.append(("end", self.name))

    def time(self, calls: int) -> Block:
        self.events.append(("time", self.name))
        elapsed_s = calls * self.cost_s * next(self._factors)
        self.clock.now_s += elapsed_s
        return Block(elapsed_s, next(self._causes))


def rounds_of(*participants: FakeEntrant, calls: int = 1, seed: int = 0) -> Rounds:
    """Return rounds of participants that share the first one's clock."""
    named = {participant.name: participant for participant in participants}
    return Rounds(named, dict.fromkeys(named, calls), random.Random(seed), clock=participants[0].clock)


def order_of(seed: int) -> list[str]:
    """Return who was timed, in order, over five rounds of four."""
    events: list[Event] = []
    rounds_of(*(FakeEntrant(name, events) for name in "abcd"), seed=seed).make(5, "abcd")
    return [name for what, name in events if what == "time"]


def test_every_round_times_every_entrant_once_in_a_fresh_order() -> None:
    events: list[Event] = []
    schedule = rounds_of(*(FakeEntrant(name, events, cost_s=0.5) for name in "abcd"), calls=2)
    schedule.make(20, "abcd")
    timed = [name for what, name in events if what == "time"]
    rounds = [tuple(timed[start : start + 4]) for start in range(0, 80, 4)]
    assert all(Counter(each) == Counter("abcd") for each in rounds)
    assert len(set(rounds)) > 5
    assert schedule.made == 20
    for series in schedule.series.values():
        assert series.rounds_s == dict.fromkeys(range(20), 0.5), "seconds per call, by the number of the round"


def test_the_order_follows_from_the_seed() -> None:
    assert order_of(seed=1) == order_of(seed=1)
    assert order_of(seed=1) != order_of(seed=2)


def test_all_are_laid_out_anew_before_any_is_timed() -> None:
    events: list[Event] = []
    rounds_of(*(FakeEntrant(name, events) for name in "abc")).make(3, "abc")
    for start in range(0, len(events), 9):
        assert [what for what, _ in events[start : start + 9]] == ["begin"] * 3 + ["end"] * 3 + ["time"] * 3


def test_only_those_named_take_part() -> None:
    schedule = rounds_of(*(FakeEntrant(name) for name in "abc"))
    schedule.make(2, "abc")
    schedule.make(1, "ca")
    assert {name: list(series.rounds_s) for name, series in schedule.series.items()} == {
        "a": [0, 1, 2],
        "b": [0, 1],
        "c": [0, 1, 2],
    }


def test_company_is_in_every_round() -> None:
    participants = {name: FakeEntrant(name) for name in "abc"}
    schedule = Rounds(participants, dict.fromkeys(participants, 1), random.Random(0), always_included="c")
    schedule.make(1, "ab")
    schedule.make(1, "a")
    assert {name: list(series.rounds_s) for name, series in schedule.series.items()} == {
        "a": [0, 1],
        "b": [0],
        "c": [0, 1],
    }


def test_a_log_ratio_is_that_of_common_rounds() -> None:
    schedule = rounds_of(FakeEntrant("a", cost_s=2.0), FakeEntrant("b", cost_s=1.0))
    schedule.make(8, "ab")
    schedule.make(3, "a")
    found = schedule.log_ratio("a", to="b")
    assert found.value == pytest.approx(math.log(2))
    assert found.n == 8


def test_each_round_is_reported() -> None:
    seen: list[int] = []
    Rounds({"a": FakeEntrant("a")}, {"a": 1}, random.Random(0), after_round=seen.append).make(3, "a")
    assert seen == [1, 2, 3]


def test_rounds_end_at_the_deadline() -> None:
    schedule = rounds_of(FakeEntrant("a", cost_s=1.0))
    schedule.make(100, "a", deadline=4.5)
    assert schedule.made == 5, "a round that has begun is brought to its end"


# Disturbed blocks


def test_a_disturbed_block_is_repeated_at_once_and_both_readings_are_kept() -> None:
    events: list[Event] = []
    disturbed = FakeEntrant("a", events, factors=(1.0, 3.0), causes=((), ("steal", "switch")))
    schedule = rounds_of(disturbed, FakeEntrant("b", events, disturbed.clock), calls=2)
    schedule.make(2, "ab")
    timed = [name for what, name in events if what == "time"]
    assert "aa" in "".join(timed[2:])
    series = schedule.series["a"]
    assert series.rounds_s == {0: 1.0, 1: 1.0}
    assert series.repeated_s == [3.0], "seconds per call"
    assert series.disturbed == []
    assert series.causes == {"steal": 1, "switch": 1}
    assert schedule.series["b"].repeated_s == []


def test_a_block_that_stays_disturbed_is_taken_and_said_to_be() -> None:
    always: Iterable[tuple[Cause, ...]] = itertools.repeat(("frequency",))
    participant = FakeEntrant("a", factors=(5.0, 4.0, 3.0), causes=always)
    schedule = rounds_of(participant)
    schedule.make(1, "a")
    series = schedule.series["a"]
    assert REPEATS == 2
    assert series.repeated_s == [5.0, 4.0]
    assert series.rounds_s == {0: 3.0}
    assert series.disturbed == [0]
    assert series.causes == {"frequency": 3}


cause_lists = st.lists(st.sampled_from([(), ("steal",), ("switch", "frequency")]), max_size=40)


@given(cause_lists)
def test_no_reading_is_lost_whatever_disturbs(causes: list[tuple[Cause, ...]]) -> None:
    events: list[Event] = []
    participant = FakeEntrant("a", events, factors=itertools.count(1.0), causes=causes)
    schedule = rounds_of(participant)
    schedule.make(10, "a")
    series = schedule.series["a"]
    readings = [*series.rounds_s.values(), *series.repeated_s]
    blocks = sum(what == "time" for what, _ in events)
    assert sorted(readings) == [float(number) for number in range(1, blocks + 1)]
    assert len(series.rounds_s) == 10
    assert blocks <= 10 * (1 + REPEATS)
    assert sum(series.causes.values()) == sum(len(each) for each in causes[:blocks])


# Failures


def test_an_entrant_that_fails_reads_nan_and_the_others_go_on() -> None:
    dead = FakeEntrant("a", factors=(1.0, math.nan, math.nan))
    schedule = rounds_of(dead, FakeEntrant("b"))
    schedule.make(3, "ab")
    assert [math.isnan(value) for value in schedule.series["a"].rounds_s.values()] == [False, True, True]
    assert list(schedule.series["b"].rounds_s.values()) == [1.0] * 3


# The speed-up


def test_a_speedup_is_over_the_rounds_that_both_were_in() -> None:
    clock = FakeClock()
    schedule = rounds_of(FakeEntrant("fp32", clock=clock, cost_s=2.0), FakeEntrant("a", clock=clock))
    schedule.make(6, ["fp32", "a"])
    schedule.make(4, ["fp32"])
    ratio = schedule.speedup("fp32", "a")
    assert ratio.value == pytest.approx(2.0)
    assert ratio.n == 6


def test_without_an_interval_a_speedup_is_infinitely_vague() -> None:
    assert Ratio(2.0, 2.0, 2.0, confidence=0.0, p_value=1.0, n=5).half_width == math.inf
    assert Ratio(2.0, 1.9, 2.1, confidence=0.95, p_value=0.0, n=10).half_width == pytest.approx(0.05)


# Spending what is left of the budget


def noise(seed: int, share: float) -> Iterable[float]:
    """Return factors around 1 without end."""
    rng = random.Random(seed)
    return (math.exp(rng.gauss(0.0, share)) for _ in itertools.count())


def noisy_race(clock: FakeClock, shares: dict[str, float], seed: int = 0) -> Rounds:
    """Return ten rounds of participants that waver by these shares."""
    participants = [
        FakeEntrant(name, clock=clock, factors=noise(seed + position, share))
        for position, (name, share) in enumerate(shares.items())
    ]
    schedule = rounds_of(*participants)
    schedule.make(10, list(shares))
    return schedule


def spend(
    schedules: Sequence[Rounds],
    living: Callable[[], Collection[str]],
    precision: float,
    deadline: float,
    restart: Callable[[Collection[Any]], None] = lambda names: None,
) -> None:
    rounds.spend(schedules, "fp32", living, precision, deadline, restart)


def everybody(*schedules: Rounds) -> Callable[[], Collection[str]]:
    return lambda: {name for schedule in schedules for name in schedule.series}


def test_more_rounds_go_to_the_batch_size_and_the_variants_that_are_vague() -> None:
    clock = FakeClock()
    steady = noisy_race(clock, {"fp32": 0.001, "a": 0.001, "b": 0.001})
    wavering = noisy_race(clock, {"fp32": 0.001, "a": 0.001, "b": 0.2})
    spend([steady, wavering], everybody(steady), precision=0.02, deadline=clock() + 400)
    assert steady.made == 10
    assert wavering.made > 10
    made = {name: len(series.rounds_s) for name, series in wavering.series.items()}
    assert made == {"fp32": wavering.made, "a": 10, "b": wavering.made}


def test_the_widest_interval_has_the_first_rounds() -> None:
    clock = FakeClock()
    vague = noisy_race(clock, {"fp32": 0.01, "a": 0.1})
    vaguer = noisy_race(clock, {"fp32": 0.01, "a": 0.4})
    spend([vague, vaguer], everybody(vague), precision=0.001, deadline=clock() + 1)
    assert (vague.made, vaguer.made - 10) == (10, 1)


def test_nothing_is_spent_where_all_are_precise_enough() -> None:
    clock = FakeClock()
    schedule = noisy_race(clock, {"fp32": 0.001, "a": 0.001})
    now = clock()
    spend([schedule], everybody(schedule), precision=0.05, deadline=math.inf)
    assert (schedule.made, clock()) == (10, now)


def test_spending_ends_once_all_are_precise_enough() -> None:
    clock = FakeClock()
    schedule = noisy_race(clock, {"fp32": 0.05, "a": 0.05})
    spend([schedule], everybody(schedule), precision=0.02, deadline=math.inf)
    assert 10 < schedule.made < 1000
    assert schedule.speedup("fp32", "a").half_width <= 0.02


@settings(max_examples=20)
@given(st.floats(min_value=0.0, max_value=200.0))
def test_spending_ends_at_the_deadline(budget_s: float) -> None:
    clock = FakeClock()
    schedule = noisy_race(clock, {"fp32": 0.3, "a": 0.3})
    start = clock()
    spend([schedule], everybody(schedule), precision=1e-6, deadline=start + budget_s)
    round_s = 10.0  # two blocks of one second, a few times as long in the worst of rounds
    assert clock() - start <= budget_s + round_s
    assert budget_s < MORE_ROUNDS * round_s or schedule.made > 10


def test_without_a_baseline_there_is_nothing_to_make_more_precise() -> None:
    clock = FakeClock()
    dead = FakeEntrant("fp32", clock=clock, factors=itertools.chain([1.0] * 5, itertools.repeat(math.nan)))
    other = FakeEntrant("a", clock=clock)
    schedule = rounds_of(dead, other)
    schedule.make(10, ["fp32", "a"])
    spend([schedule], lambda: {"a"}, precision=0.01, deadline=math.inf)
    assert schedule.made == 10


def test_who_failed_takes_no_part_in_more_rounds() -> None:
    clock = FakeClock()
    schedule = noisy_race(clock, {"fp32": 0.05, "a": 0.05, "b": 0.05})
    spend([schedule], lambda: {"fp32", "a"}, precision=0.01, deadline=clock() + 100)
    assert len(schedule.series["b"].rounds_s) == 10
    assert len(schedule.series["a"].rounds_s) > 10


# Fresh processes


def test_a_fresh_process_takes_the_place_of_its_forerunner_and_the_round_is_kept() -> None:
    schedule = rounds_of(FakeEntrant("fp32", cost_s=2.0), FakeEntrant("a"))
    schedule.make(3, ["fp32", "a"])
    schedule.enter({"fp32": FakeEntrant("fp32", cost_s=4.0)})
    schedule.make(2, ["fp32", "a"])
    assert list(schedule.series["fp32"].rounds_s.values()) == [2.0, 2.0, 2.0, 4.0, 4.0]
    assert (schedule.series["fp32"].starts, schedule.series["a"].starts) == ([0, 3], [0])


def test_a_process_that_made_no_round_is_no_start() -> None:
    schedule = rounds_of(FakeEntrant("a"))
    schedule.make(2, "a")
    for _ in range(3):
        schedule.enter({"a": FakeEntrant("a")})
    schedule.make(1, "a")
    assert schedule.series["a"].starts == [0, 2]


def test_the_interval_knows_which_rounds_were_of_one_process() -> None:
    prior = [1.00, 1.04, 0.96, 1.02]  # of a's processes
    schedule = rounds_of(FakeEntrant("fp32", factors=noise(1, 0.001)), FakeEntrant("a", factors=noise(2, 0.001)))
    blind = rounds_of(FakeEntrant("fp32", factors=noise(1, 0.001)), FakeEntrant("a", factors=noise(2, 0.001)))
    for position, cost_s in enumerate(prior):
        if position:
            schedule.enter({"a": FakeEntrant("a", factors=noise(2 + position, 0.001), cost_s=cost_s)})
            blind._participants["a"] = FakeEntrant("a", factors=noise(2 + position, 0.001), cost_s=cost_s)
        schedule.make(5, ["fp32", "a"])
        blind.make(5, ["fp32", "a"])
    assert schedule.speedup("fp32", "a").value == pytest.approx(blind.speedup("fp32", "a").value)
    assert schedule.speedup("fp32", "a").half_width > 1.5 * blind.speedup("fp32", "a").half_width


def test_a_start_without_common_rounds_does_not_count() -> None:
    schedule = rounds_of(FakeEntrant("fp32"), FakeEntrant("a"), FakeEntrant("b"))
    schedule.make(6, ["fp32", "a", "b"])
    schedule.enter({"fp32": FakeEntrant("fp32"), "a": FakeEntrant("a")})
    schedule.make(6, ["fp32", "a"])
    assert schedule.speedup("fp32", "b") == rounds_of_twins(6).speedup("fp32", "b")


def rounds_of_twins(number: int) -> Rounds:
    schedule = rounds_of(FakeEntrant("fp32"), FakeEntrant("b"))
    schedule.make(number, ["fp32", "b"])
    return schedule


def restarts(budget_s: float, cost_s: float = 0.0) -> list[tuple[float, set[str]]]:
    """Return when who was started anew within a budget, each time at a cost."""
    clock = FakeClock()
    schedule = noisy_race(clock, {"fp32": 0.05, "a": 0.05, "b": 0.0001})
    for participant in schedule._participants.values():
        assert isinstance(participant, FakeEntrant)
        participant.cost_s = 0.05
    begun, when = clock(), []

    def restart(names: Collection[str]) -> None:
        when.append((clock() - begun, set(names)))
        clock.now_s += cost_s

    spend([schedule], everybody(schedule), precision=1e-4, deadline=begun + budget_s, restart=restart)
    return when


def test_a_long_budget_goes_on_in_fresh_processes_of_those_that_take_part() -> None:
    when = restarts(4.3 * START_S)
    assert [seconds for seconds, _ in when] == pytest.approx([START_S, 2 * START_S, 3 * START_S], abs=0.5)
    assert all(names == {"fp32", "a", "b"} for _, names in when)


def test_a_short_budget_stays_with_its_processes() -> None:
    assert restarts(1.9 * START_S) == []


def test_starting_processes_takes_a_quarter_of_the_time_at_most() -> None:
    when = restarts(100.0, cost_s=3.0)
    periods = [later - before for (before, _), (later, _) in itertools.pairwise(when)]
    assert len(periods) > 3
    assert all(3.0 / START_SHARE <= period - 3.0 <= 3.0 / START_SHARE + 1 for period in periods)
