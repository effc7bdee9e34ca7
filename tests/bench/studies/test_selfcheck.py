"""The self-check: its words on made-up findings, and all of it once, briefly, on this machine."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.core.errors import RequestError
from bench.measuring.latency import blocks
from bench.report.selfcheck import faults, render, sentence
from bench.results.selfcheck import Conditions, Plan, SelfCheck, Spread, Truth, Try
from bench.results.verdict import Word
from bench.stats.speedup import MIN_ROUNDS
from bench.studies import selfcheck
from bench.studies.selfcheck import self_check
from bench.worker.selfcheck_host import EMPTY_CALLS, SelfCheckHost
from tests.bench.examples import MACHINE
from tests.benchmarks import trust

GOLDEN = Path(__file__).with_name("golden_selfcheck.md")
BRIEF = Plan(tries=1, try_s=0.3, stubs_s=[20e-6], spread_runs=2, spread_s=0.3, spread_batch_sizes=[1])


def tried(word: Word, value: float = 1.0) -> Try:
    return Try(batch_size=1, value=value, half_width=0.01, p_value=0.5, n=30, word=word)


def found(**changes: Any) -> SelfCheck:
    """A machine on which all is well."""
    plan = Plan(tries=10)
    fields = {
        "quantbench": "0.2.0",
        "created": "2026-01-02T03:04:05+00:00",
        "machine": MACHINE,
        "conditions": Conditions(load=0.1, governor="performance", virtual=False),
        "threads": 1,
        "pinned_cores": [3],
        "plan": plan,
        "alone": [tried("no difference detected")] * 10,
        "slowed": [tried("slower", 0.95)] * 10,
        "truths": [Truth(known_s=20e-6, read_s=20.1e-6), Truth(known_s=20e-3, read_s=20e-3)],
        "cost_s": 30e-9,
        "spreads": [Spread(batch_size=1, ours=[1.50, 1.51], peers=[1.4, 1.6])],
        "blocks": 1000,
        "disturbed_blocks": 20,
        "causes": {"switch": 20},
        "seconds": 55.0,
    }
    return SelfCheck.model_validate(fields | changes)


def test_the_page_is_the_golden_one() -> None:
    """After an intended change: write ``render(found())`` to the golden file and read the difference."""
    assert not faults(found())
    assert render(found()) + "\n" == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"alone": [tried("slower")] + [tried("no difference detected")] * 9}, "1 of 10 times a model was called"),
        ({"truths": [Truth(known_s=1e-3, read_s=1.05e-3)]}, "a known time was read 5.0 % wrong"),
        ({"cost_s": 1e-6}, "the harness adds 1000 ns to each call"),
        (
            {"slowed": [tried("no difference detected")] * 10},
            "5 % was found in 0 of 10 tries only, so give runs a longer",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], says: str) -> None:
    [fault] = faults(found(**changes))
    assert says in fault
    assert f"but do not trust it yet: {fault}" in sentence(found(**changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"conditions": Conditions(load=0.0, governor="powersave", virtual=None)}, "the performance governor"),
        ({"conditions": Conditions(load=3.2, governor=None, virtual=None)}, "ending other work (the load was 3.2"),
        ({"conditions": Conditions(load=None, governor=None, virtual=True)}, "a machine that is not virtual"),
        ({"disturbed_blocks": 500}, "a quieter machine (50 % of the blocks were disturbed)"),
        ({"threads": 4, "pinned_cores": []}, "fewer threads than cores"),
    ],
)
def test_what_would_help_is_named(changes: dict[str, Any], says: str) -> None:
    assert f"What would help: {says}" in sentence(found(**changes))


def test_the_planted_model_is_delayed_in_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    calls: list[int] = []

    class Delay:
        def __init__(self, seconds: float) -> None:
            delays.append(seconds)

        def __call__(self) -> None:
            calls.append(1)

    monkeypatch.setattr("bench.worker.selfcheck_host._Stub", Delay)
    host = SelfCheckHost(lambda done, total: None)
    host.build("fp32", threads=1, extra=0.05)
    warm_up = host.warm_up(1, [])
    assert delays == [0.05 * min(warm_up.blocks_s)]
    host.time(1, 10)
    assert len(calls) >= 10


def test_a_known_time_is_read_and_the_clocks_own_cost_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that goes on by 100 ns each time that it is read."""
    clock = itertools.count(step=100).__next__
    monkeypatch.setattr("time.perf_counter_ns", clock)
    monkeypatch.setattr(blocks, "time_calls", functools.partial(blocks.time_calls, clock_ns=clock))
    host = SelfCheckHost(lambda done, total: None)
    assert host.truth(20e-6, []) == pytest.approx(20e-6, rel=0.02)
    assert host.cost() == pytest.approx(100e-9 / EMPTY_CALLS)


def test_the_whole_check_of_models_that_take_a_known_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "HOST", "tests.bench.hosts:FakeSelfCheck")
    done = self_check(plan=BRIEF, progress=False)
    [alone] = done.alone
    assert (alone.batch_size, alone.word) == (1, "no difference detected")
    assert alone.value == pytest.approx(1.0)
    assert done.slowed[0].value == pytest.approx(1 / 1.05)
    assert done.truths == [Truth(known_s=20e-6, read_s=1.01 * 20e-6)]
    assert done.cost_s == 3e-8
    [spread] = done.spreads
    assert spread.ours == pytest.approx([2.0, 2.0])
    assert spread.peers == [1.9, 1.9]
    assert done.blocks >= MIN_ROUNDS * (3 + 2 * 2)
    assert done.disturbed_blocks == 0
    assert SelfCheck.model_validate_json(done.model_dump_json()) == done
    assert render(done)


@pytest.mark.slow
def test_the_whole_check_briefly() -> None:
    """As it is, on this machine, however busy that is: so no figure is held to anything."""
    done = self_check(plan=BRIEF, progress=False)
    assert [each.batch_size for each in (*done.alone, *done.slowed)] == [1, 1]
    assert all(value > 0 for value in (done.alone[0].value, done.slowed[0].value, done.truths[0].read_s, done.cost_s))
    [spread] = done.spreads
    assert len(spread.ours) == len(spread.peers) == 2
    assert render(done)


@pytest.mark.parametrize(("threads", "pin"), [(0, "auto"), (10**6, "auto"), (1, "99999"), (1, "first")])
def test_a_request_that_makes_no_sense_is_a_sentence(threads: int, pin: str) -> None:
    with pytest.raises(RequestError):
        self_check(threads=threads, pin=pin)


def test_the_command_writes_table_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck.self_check, "with_options", lambda options: found())
    monkeypatch.setattr("sys.argv", ["bench", "selfcheck", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 0
    assert (tmp_path / "selfcheck.md").read_text(encoding="utf-8") == render(found()) + "\n"
    assert SelfCheck.model_validate(json.loads((tmp_path / "selfcheck.json").read_text(encoding="utf-8"))) == found()


def test_a_bound_that_is_missed_is_said_to_be() -> None:
    two = found(threads=2, spreads=[Spread(batch_size=1, ours=[1.0, 2.0], peers=[1.0, 2.0])])
    lines = trust.render([found(), two]).splitlines()
    assert sum("| missed" in line for line in lines) == 2, "10 tries are not 95; half of the peer's is not a quarter"
