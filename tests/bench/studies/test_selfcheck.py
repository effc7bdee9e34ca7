"""The self-check: its words on made-up figures, and all of it once, briefly, on this machine."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import RequestError
from bench.core.inputs import Inputs
from bench.core.variant_key import BASELINE, VariantKey
from bench.measuring.latency import blocks
from bench.measuring.latency.sampling import precision_for
from bench.report.selfcheck import Answer, answers, faults, render, sentence
from bench.results.row import Row
from bench.results.run import Run
from bench.results.selfcheck import Comparison, Conditions, KnownRun, Plan, SelfCheck, Truth
from bench.results.verdict import UNDECIDED, Word
from bench.running import plan
from bench.runtimes.base import RUNTIMES
from bench.runtimes.known import AGAIN, SLOWED, SlowedExecutable
from bench.studies import selfcheck
from bench.studies.selfcheck import self_check
from bench.techniques.base import Artifact
from bench.worker.selfcheck_host import EMPTY_CALLS, SelfCheckHost
from tests.bench.conftest import Command
from tests.bench.examples import FP32, MACHINE, RUN, SETTINGS, latency, speedup

GOLDEN = Path(__file__).with_name("golden_selfcheck.md")


def compared(word: Word, value: float = 1.0, margin: float = 0.02) -> dict[int, Comparison]:
    """Return what one run says at both batch sizes."""
    known = speedup(value, margin, p_value=0.5, n=12)
    return dict.fromkeys((1, 64), Comparison(speedup=known, word=word, noisy=margin > 0.05 * value))


def known_run(number: int = 0, **changes: Any) -> KnownRun:
    """Return a run in which all is right; int8's speed-up differs a little from run to run."""
    wobble = 1 + 0.005 * (-1) ** number
    fields = {
        "again": compared(UNDECIDED),
        "slowed": compared("slower", 0.95),
        "int8": compared("faster", 2.0 * wobble, 0.05),
        "peer": {1: 2.0 * (1 + 0.1 * (-1) ** number), 64: 2.0 * (1 + 0.05 * (-1) ** number)} if number < 2 else {},
        "seconds": 9.0,
        "blocks": 1000,
        "disturbed_blocks": 20,
    }
    return KnownRun.model_validate(fields | changes)


def checked(runs: Sequence[KnownRun] | None = None, **changes: Any) -> SelfCheck:
    """Return the self-check of a machine on which all is well."""
    fields = {
        "quantbench": "1.0.0",
        "created": "2026-01-02T03:04:05+00:00",
        "machine": MACHINE,
        "conditions": Conditions(load=0.1, governor="performance", virtual=False),
        "threads": 1,
        "pinned_cores": [3],
        "plan": Plan(),
        "runs": runs or [known_run(number) for number in range(6)],
        "truths": [Truth(known_s=20e-6, read_s=20.1e-6), Truth(known_s=20e-3, read_s=20e-3)],
        "cost_s": 30e-9,
        "seconds": 55.0,
    }
    return SelfCheck.model_validate(fields | changes)


def runs_with(count: int, total: int, **changes: Any) -> list[KnownRun]:
    """Return ``total`` runs, in ``count`` of which something is different."""
    return [known_run(number, **(changes if number < count else {})) for number in range(total)]


def answer_to(question: str, check: SelfCheck) -> Answer:
    return next(answer for answer in answers(check) if answer.question.startswith(question))


def test_the_page_is_the_golden_one() -> None:
    """After an intended change: write ``render(checked())`` to the golden file and read the difference."""
    assert not faults(checked())
    assert render(checked()) + "\n" == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (checked(runs_with(1, 6, again=compared("slower"))), "2 of 12 times a model was called different from itself"),
        (checked(runs_with(1, 6, slowed=compared(UNDECIDED))), "a slow-down of 5 % was found 10 of 12 times only"),
        (checked(truths=[Truth(known_s=1e-3, read_s=1.05e-3)]), "a known time was read 5.0 % wrong"),
        (checked(cost_s=1e-6), "the harness adds 1000 ns to each call"),
        (checked(runs_with(1, 6, again=compared(UNDECIDED, margin=0.2))), "2 of 36 speed-ups are less precise"),
    ],
)
def test_what_is_wrong_is_named(check: SelfCheck, says: str) -> None:
    [fault] = faults(check)
    assert says in fault
    assert f"but do not trust it yet: {fault}" in sentence(check)


def test_intervals_that_miss_the_mean_of_all_runs_are_named() -> None:
    """One in eight lies apart: too narrow for how the runs differ."""
    check = checked(runs_with(1, 8, int8=compared("faster", 3.0, 0.05)))
    assert answer_to("Coverage", check).value == "0 of 8", "the mean of all lies beside the seven, too"
    assert not answer_to("Coverage", check).reached
    assert answer_to("Coverage", checked()).value == "6 of 6"


@pytest.mark.parametrize(("alarms", "reached"), [(0, True), (1, True), (2, False)])
def test_one_false_alarm_in_a_hundred_is_allowed(alarms: int, reached: bool) -> None:
    runs = runs_with(alarms, 60, again={1: compared("slower")[1], 64: compared(UNDECIDED)[64]})
    assert answer_to("False alarms", checked(runs)).reached == reached


@pytest.mark.parametrize(("noisy", "reached"), [(0, True), (1, True), (2, False)])
def test_with_threads_one_in_ten_may_be_noisy(noisy: int, reached: bool) -> None:
    runs = runs_with(noisy, 5, again={1: compared(UNDECIDED, margin=0.3)[1], 64: compared(UNDECIDED, margin=0.3)[64]})
    assert answer_to("Noisy", checked(runs, threads=2)).reached == reached
    assert answer_to("Noisy", checked(runs)).reached == (noisy == 0), "with one thread none may be"


def test_the_spread_is_held_against_torch_benchmarks() -> None:
    same = {1: 2.0, 64: 2.0}
    [fault, other] = faults(checked(runs_with(2, 4, peer=same)))
    assert "torch.utils.benchmark's speed-up repeats better at batch 1" in fault
    assert other.endswith("batch 64")
    without = checked([known_run(number, peer={}) for number in range(6)])
    assert not any("torch.utils.benchmark" in answer.question for answer in answers(without))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"conditions": Conditions(load=0.0, governor="powersave", virtual=None)}, "the performance governor"),
        ({"conditions": Conditions(load=3.2, governor=None, virtual=None)}, "ending other work (the load was 3.2"),
        ({"conditions": Conditions(load=None, governor=None, virtual=True)}, "a machine that is not virtual"),
        ({"runs": runs_with(4, 4, disturbed_blocks=500)}, "a quieter machine (50 % of the blocks were disturbed)"),
        ({"threads": 4, "pinned_cores": []}, "fewer threads than cores"),
    ],
)
def test_what_would_help_is_named(changes: dict[str, Any], says: str) -> None:
    assert f"What would help: {says}" in sentence(checked(**changes))


# What is known


def test_the_planted_slow_down_is_a_share_of_what_a_call_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that goes on by 1,000 ns each time that it is read: a call seems to take as long."""
    waits: list[int] = []
    monkeypatch.setattr("time.perf_counter_ns", itertools.count(step=1000).__next__)
    monkeypatch.setattr("bench.runtimes.known.CALIBRATION_S", 0.0)
    monkeypatch.setattr("bench.runtimes.known.spin", waits.append)
    calls: list[int] = []
    executable = SlowedExecutable(Artifact(None, calls.append), 0.05)  # type: ignore[arg-type]
    call = executable.bind(Inputs((1,)))
    calls.clear()
    for _ in range(3):
        call()
    assert waits == [50] * 3
    assert len(calls) == 3


def test_no_user_is_offered_what_is_known() -> None:
    for name in (AGAIN, *SLOWED):
        assert RUNTIMES.get(name).name == name
    assert VariantKey("fp32", AGAIN) != BASELINE


def test_a_known_time_is_read_and_the_clocks_own_cost_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that goes on by 100 ns each time that it is read."""
    clock = itertools.count(step=100).__next__
    monkeypatch.setattr("time.perf_counter_ns", clock)
    monkeypatch.setattr(blocks, "time_calls", functools.partial(blocks.time_calls, clock_ns=clock))
    host = SelfCheckHost(lambda done, total: None)
    assert host.truth(20e-6, []) == pytest.approx(20e-6, rel=0.02)
    assert host.cost() == pytest.approx(100e-9 / EMPTY_CALLS)


# The whole check


def default_run(spec: Any, *_: object) -> Run:
    """Return what a run of the self-check's variants would say on a machine without noise."""
    assert (spec.precision, spec.budget_s) == (precision_for(spec.threads), None), "the defaults of bench run"
    values = {AGAIN: (1.0, 1.0), "slower5": (1 / 1.05, 1e-5), "slower10": (1 / 1.1, 1e-5), "eager": (2.0, 1e-5)}
    rows: list[Row] = []
    for name, key in itertools.product(spec.models, spec.variants):
        value, p_value = values[key.runtime]
        known = {} if key == BASELINE else {size: speedup(value, 0.01, p_value, n=12) for size in spec.batch_sizes}
        timed = {size: latency(1e-3 / value) for size in spec.batch_sizes}
        where = {"model": name.rpartition("/")[2], "technique": key.technique, "runtime": key.runtime}
        rows.append(FP32.model_copy(update={"latency": timed, "speedup": known} | where))
    settings = SETTINGS.model_copy(update={"batch_sizes": spec.batch_sizes})
    return RUN.model_copy(update={"rows": rows, "settings": settings})


@pytest.mark.parametrize(("threads", "planted"), [(1, 1 / 1.05), (2, 1 / 1.1)])
def test_the_whole_check_of_default_runs(threads: int, planted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "HOST", "tests.bench.hosts:FakeSelfCheck")
    monkeypatch.setattr(selfcheck, "execute", default_run)
    monkeypatch.setattr("bench.measuring.machine.require_threads", lambda threads: None)
    check = self_check(threads=threads, pin="none", progress=False)
    assert len(check.runs) == check.plan.runs
    assert [bool(run.peer) for run in check.runs] == [True, True, False, False, False, False]
    for run in check.runs:
        for size in (1, 64):
            assert (run.again[size].word, run.slowed[size].word, run.int8[size].word) == (UNDECIDED, "slower", "faster")
            assert run.slowed[size].speedup.value == pytest.approx(planted)
        assert (run.blocks, run.disturbed_blocks) == (4 * 2 * 10, 0)
    assert check.truths[0] == Truth(known_s=20e-6, read_s=1.01 * 20e-6)
    assert check.cost_s == 3e-8
    assert SelfCheck.model_validate_json(check.model_dump_json()) == check
    assert render(check)


def test_a_variant_that_cannot_be_measured_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_int8(spec: Any, *rest: object) -> Run:
        run = default_run(spec, *rest)
        failed = {"status": "failed", "reason": "the process died of SIGILL", "latency": {}, "speedup": {}}
        return run.model_copy(update={"rows": [*run.rows[:-1], run.rows[-1].model_copy(update=failed)]})

    monkeypatch.setattr(selfcheck, "HOST", "tests.bench.hosts:FakeSelfCheck")
    monkeypatch.setattr(selfcheck, "execute", without_int8)
    with pytest.raises(RequestError, match=r"dynamic-qint8 could not be measured .*SIGILL"):
        self_check(progress=False)


@pytest.mark.slow
def test_the_whole_check_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, on this machine, however busy that is: so no figure is held to anything, and any precision will do."""
    monkeypatch.setattr(plan, "precision_for", lambda threads: 0.9)
    check = self_check(plan=Plan(runs=2, stubs_s=[20e-6], peers=1), progress=False)
    for run in check.runs:
        for kind in (run.again, run.slowed, run.int8):
            assert kind.keys() == {1, 64}
            assert all(one.speedup.n >= 12 for one in kind.values())
    assert check.runs[0].peer.keys() == {1, 64}
    assert check.truths[0].read_s > 0
    assert check.cost_s > 0
    assert render(check)


@pytest.mark.parametrize(("threads", "pin"), [(0, "auto"), (10**6, "auto"), (1, "99999"), (1, "first")])
def test_a_request_that_makes_no_sense_is_a_sentence(threads: int, pin: str) -> None:
    with pytest.raises(RequestError):
        self_check(threads=threads, pin=pin)


def test_the_command_writes_table_and_figures(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfcheck.self_check, "with_options", lambda options: checked())
    code, _, _ = command("selfcheck", "--out", str(tmp_path))
    assert code == 0
    assert (tmp_path / "selfcheck.md").read_text(encoding="utf-8") == render(checked()) + "\n"
    written = json.loads((tmp_path / "selfcheck.json").read_text(encoding="utf-8"))
    assert SelfCheck.model_validate(written) == checked()
