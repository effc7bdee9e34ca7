"""Rounds of fake entrants on a fake clock: who is timed when, how often, and until when."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measuring.latency import rounds
from bench.measuring.latency.disturbance import Cause
from bench.measuring.latency.rounds import MORE_ROUNDS, REPEATS, START_S, START_SHARE, Block, Rounds
from bench.stats.times import Ratio

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

    def begin_renewal(self) -> None:
        self.events.append(("begin", self.name))

    def end_renewal(self) -> None:
        self.events.append(("end", self.name))

    def time(self, calls: int) -> Block:
        self.events.append(("time", self.name))
        elapsed_s = calls * self.cost_s * next(self._factors)
        self.clock.now_s += elapsed_s
        return Block(elapsed_s, next(self._causes))


def rounds_of(*entrants: FakeEntrant, calls: int = 1, seed: int = 0) -> Rounds:
    """Return rounds of entrants that share the first one's clock."""
    named = {entrant.name: entrant for entrant in entrants}
    return Rounds(named, dict.fromkeys(named, calls), random.Random(seed), clock=entrants[0].clock)


def order_of(seed: int) -> list[str]:
    """Return who was timed, in order, over five rounds of four."""
    events: list[Event] = []
    rounds_of(*(FakeEntrant(name, events) for name in "abcd"), seed=seed).make(5, "abcd")
    return [name for what, name in events if what == "time"]


def test_every_round_times_every_entrant_once_in_a_fresh_order() -> None:
    events: list[Event] = []
    race = rounds_of(*(FakeEntrant(name, events, cost_s=0.5) for name in "abcd"), calls=2)
    race.make(20, "abcd")
    timed = [name for what, name in events if what == "time"]
    rounds = [tuple(timed[start : start + 4]) for start in range(0, 80, 4)]
    assert all(Counter(each) == Counter("abcd") for each in rounds)
    assert len(set(rounds)) > 5
    assert race.made == 20
    for series in race.series.values():
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
    race = rounds_of(*(FakeEntrant(name) for name in "abc"))
    race.make(2, "abc")
    race.make(1, "ca")
    assert {name: list(series.rounds_s) for name, series in race.series.items()} == {
        "a": [0, 1, 2],
        "b": [0, 1],
        "c": [0, 1, 2],
    }


def test_company_is_in_every_round() -> None:
    entrants = {name: FakeEntrant(name) for name in "abc"}
    race = Rounds(entrants, dict.fromkeys(entrants, 1), random.Random(0), company="c")
    race.make(1, "ab")
    race.make(1, "a")
    assert {name: list(series.rounds_s) for name, series in race.series.items()} == {"a": [0, 1], "b": [0], "c": [0, 1]}


def test_a_log_ratio_is_that_of_common_rounds() -> None:
    race = rounds_of(FakeEntrant("a", cost_s=2.0), FakeEntrant("b", cost_s=1.0))
    race.make(8, "ab")
    race.make(3, "a")
    found = race.log_ratio("a", to="b")
    assert found.value == pytest.approx(math.log(2))
    assert found.n == 8


def test_each_round_is_reported() -> None:
    seen: list[int] = []
    Rounds({"a": FakeEntrant("a")}, {"a": 1}, random.Random(0), after_round=seen.append).make(3, "a")
    assert seen == [1, 2, 3]


def test_rounds_end_at_the_deadline() -> None:
    race = rounds_of(FakeEntrant("a", cost_s=1.0))
    race.make(100, "a", deadline=4.5)
    assert race.made == 5, "a round that has begun is brought to its end"


# Disturbed blocks


def test_a_disturbed_block_is_repeated_at_once_and_both_readings_are_kept() -> None:
    events: list[Event] = []
    disturbed = FakeEntrant("a", events, factors=(1.0, 3.0), causes=((), ("steal", "switch")))
    race = rounds_of(disturbed, FakeEntrant("b", events, disturbed.clock), calls=2)
    race.make(2, "ab")
    timed = [name for what, name in events if what == "time"]
    assert "aa" in "".join(timed[2:])
    series = race.series["a"]
    assert series.rounds_s == {0: 1.0, 1: 1.0}
    assert series.repeated_s == [3.0], "seconds per call"
    assert series.disturbed == []
    assert series.causes == {"steal": 1, "switch": 1}
    assert race.series["b"].repeated_s == []


def test_a_block_that_stays_disturbed_is_taken_and_said_to_be() -> None:
    always: Iterable[tuple[Cause, ...]] = itertools.repeat(("frequency",))
    entrant = FakeEntrant("a", factors=(5.0, 4.0, 3.0), causes=always)
    race = rounds_of(entrant)
    race.make(1, "a")
    series = race.series["a"]
    assert REPEATS == 2
    assert series.repeated_s == [5.0, 4.0]
    assert series.rounds_s == {0: 3.0}
    assert series.disturbed == [0]
    assert series.causes == {"frequency": 3}


cause_lists = st.lists(st.sampled_from([(), ("steal",), ("switch", "frequency")]), max_size=40)


@given(cause_lists)
def test_no_reading_is_lost_whatever_disturbs(causes: list[tuple[Cause, ...]]) -> None:
    events: list[Event] = []
    entrant = FakeEntrant("a", events, factors=itertools.count(1.0), causes=causes)
    race = rounds_of(entrant)
    race.make(10, "a")
    series = race.series["a"]
    readings = [*series.rounds_s.values(), *series.repeated_s]
    blocks = sum(what == "time" for what, _ in events)
    assert sorted(readings) == [float(number) for number in range(1, blocks + 1)]
    assert len(series.rounds_s) == 10
    assert blocks <= 10 * (1 + REPEATS)
    assert sum(series.causes.values()) == sum(len(each) for each in causes[:blocks])


# Failures


def test_an_entrant_that_fails_reads_nan_and_the_others_go_on() -> None:
    dead = FakeEntrant("a", factors=(1.0, math.nan, math.nan))
    race = rounds_of(dead, FakeEntrant("b"))
    race.make(3, "ab")
    assert [math.isnan(value) for value in race.series["a"].rounds_s.values()] == [False, True, True]
    assert list(race.series["b"].rounds_s.values()) == [1.0] * 3


# The speed-up


def test_a_speedup_is_over_the_rounds_that_both_were_in() -> None:
    clock = FakeClock()
    race = rounds_of(FakeEntrant("fp32", clock=clock, cost_s=2.0), FakeEntrant("a", clock=clock))
    race.make(6, ["fp32", "a"])
    race.make(4, ["fp32"])
    ratio = race.speedup("fp32", "a")
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
    """Return ten rounds of entrants that waver by these shares."""
    entrants = [
        FakeEntrant(name, clock=clock, factors=noise(seed + position, share))
        for position, (name, share) in enumerate(shares.items())
    ]
    race = rounds_of(*entrants)
    race.make(10, list(shares))
    return race


def spend(
    races: Sequence[Rounds],
    living: Callable[[], Collection[str]],
    precision: float,
    deadline: float,
    restart: Callable[[Collection[str]], None] = lambda names: None,
) -> None:
    rounds.spend(races, "fp32", living, precision, deadline, restart)


def everybody(*races: Rounds) -> Callable[[], Collection[str]]:
    return lambda: {name for race in races for name in race.series}


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
    race = noisy_race(clock, {"fp32": 0.001, "a": 0.001})
    now = clock()
    spend([race], everybody(race), precision=0.05, deadline=math.inf)
    assert (race.made, clock()) == (10, now)


def test_spending_ends_once_all_are_precise_enough() -> None:
    clock = FakeClock()
    race = noisy_race(clock, {"fp32": 0.05, "a": 0.05})
    spend([race], everybody(race), precision=0.02, deadline=math.inf)
    assert 10 < race.made < 1000
    assert race.speedup("fp32", "a").half_width <= 0.02


@settings(max_examples=20)
@given(st.floats(min_value=0.0, max_value=200.0))
def test_spending_ends_at_the_deadline(budget_s: float) -> None:
    clock = FakeClock()
    race = noisy_race(clock, {"fp32": 0.3, "a": 0.3})
    start = clock()
    spend([race], everybody(race), precision=1e-6, deadline=start + budget_s)
    round_s = 10.0  # two blocks of one second, a few times as long in the worst of rounds
    assert clock() - start <= budget_s + round_s
    assert budget_s < MORE_ROUNDS * round_s or race.made > 10


def test_without_a_baseline_there_is_nothing_to_make_more_precise() -> None:
    clock = FakeClock()
    dead = FakeEntrant("fp32", clock=clock, factors=itertools.chain([1.0] * 5, itertools.repeat(math.nan)))
    other = FakeEntrant("a", clock=clock)
    race = rounds_of(dead, other)
    race.make(10, ["fp32", "a"])
    spend([race], lambda: {"a"}, precision=0.01, deadline=math.inf)
    assert race.made == 10


def test_who_failed_takes_no_part_in_more_rounds() -> None:
    clock = FakeClock()
    race = noisy_race(clock, {"fp32": 0.05, "a": 0.05, "b": 0.05})
    spend([race], lambda: {"fp32", "a"}, precision=0.01, deadline=clock() + 100)
    assert len(race.series["b"].rounds_s) == 10
    assert len(race.series["a"].rounds_s) > 10


# Fresh processes


def test_a_fresh_process_takes_the_place_of_its_forerunner_and_the_round_is_kept() -> None:
    race = rounds_of(FakeEntrant("fp32", cost_s=2.0), FakeEntrant("a"))
    race.make(3, ["fp32", "a"])
    race.enter({"fp32": FakeEntrant("fp32", cost_s=4.0)})
    race.make(2, ["fp32", "a"])
    assert list(race.series["fp32"].rounds_s.values()) == [2.0, 2.0, 2.0, 4.0, 4.0]
    assert (race.series["fp32"].starts, race.series["a"].starts) == ([0, 3], [0])


def test_a_process_that_made_no_round_is_no_start() -> None:
    race = rounds_of(FakeEntrant("a"))
    race.make(2, "a")
    for _ in range(3):
        race.enter({"a": FakeEntrant("a")})
    race.make(1, "a")
    assert race.series["a"].starts == [0, 2]


def test_the_interval_knows_which_rounds_were_of_one_process() -> None:
    luck = [1.00, 1.04, 0.96, 1.02]  # of a's processes
    race = rounds_of(FakeEntrant("fp32", factors=noise(1, 0.001)), FakeEntrant("a", factors=noise(2, 0.001)))
    blind = rounds_of(FakeEntrant("fp32", factors=noise(1, 0.001)), FakeEntrant("a", factors=noise(2, 0.001)))
    for position, cost_s in enumerate(luck):
        if position:
            race.enter({"a": FakeEntrant("a", factors=noise(2 + position, 0.001), cost_s=cost_s)})
            blind._entrants["a"] = FakeEntrant("a", factors=noise(2 + position, 0.001), cost_s=cost_s)
        race.make(5, ["fp32", "a"])
        blind.make(5, ["fp32", "a"])
    assert race.speedup("fp32", "a").value == pytest.approx(blind.speedup("fp32", "a").value)
    assert race.speedup("fp32", "a").half_width > 1.5 * blind.speedup("fp32", "a").half_width


def test_a_start_without_common_rounds_does_not_count() -> None:
    race = rounds_of(FakeEntrant("fp32"), FakeEntrant("a"), FakeEntrant("b"))
    race.make(6, ["fp32", "a", "b"])
    race.enter({"fp32": FakeEntrant("fp32"), "a": FakeEntrant("a")})
    race.make(6, ["fp32", "a"])
    assert race.speedup("fp32", "b") == rounds_of_twins(6).speedup("fp32", "b")


def rounds_of_twins(number: int) -> Rounds:
    race = rounds_of(FakeEntrant("fp32"), FakeEntrant("b"))
    race.make(number, ["fp32", "b"])
    return race


def restarts(budget_s: float, cost_s: float = 0.0) -> list[tuple[float, set[str]]]:
    """Return when who was started anew within a budget, each time at a cost."""
    clock = FakeClock()
    race = noisy_race(clock, {"fp32": 0.05, "a": 0.05, "b": 0.0001})
    for entrant in race._entrants.values():
        assert isinstance(entrant, FakeEntrant)
        entrant.cost_s = 0.05
    begun, when = clock(), []

    def restart(names: Collection[str]) -> None:
        when.append((clock() - begun, set(names)))
        clock.now_s += cost_s

    spend([race], everybody(race), precision=1e-4, deadline=begun + budget_s, restart=restart)
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
