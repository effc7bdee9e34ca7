"""The experiment that proves the gate on a machine: what it plants, and what it says of findings."""

from __future__ import annotations

import itertools
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.bench.examples import MACHINE
from tests.bench.sessions import session
from tests.benchmarks import gate
from tests.benchmarks.gate import Experiment, Try, judge, render


def experiment(*tries: Try) -> Experiment:
    return Experiment(
        quantbench="0.2.0",
        created="2026-01-02T03:04:05+00:00",
        machine=MACHINE,
        budget_s=12.0,
        precision=0.01,
        seconds=600.0,
        tries=list(tries),
    )


def test_a_try_tells_alarms_from_findings() -> None:
    found = judge(session(1), session(2, drift=1.3), session(3, slower={"fp16": 1.1}, lost=200), "fp16")
    assert (found.false_alarms, found.passed, found.named, found.let_through, found.misnamed) == (
        [],
        True,
        True,
        False,
        [],
    )
    assert found.worse == ["dynamic-qint8", "fp16", "fp32"]
    assert len(found.same) == len(found.slowed) == 6
    assert max(each.in_seconds for each in found.same) > 0.2, "what the reference workload cancels"
    assert "missed" not in render(experiment(found))


def test_a_slow_down_that_cannot_be_told_is_not_let_through() -> None:
    base, same = session(1, processes=3), session(2, processes=3)
    few = judge(base, same, session(3, processes=3, slower={"fp16": 1.1}), "fp16")
    assert (few.false_alarms, few.passed, few.named, few.let_through) == ([], False, False, False)


def test_a_bound_that_is_missed_is_said_to_be() -> None:
    alarmed = judge(session(1), session(2, slower={"fp32": 1.2}), session(3, slower={"fp32": 1.2}), "fp16")
    assert alarmed.misnamed == ["fp32"]
    assert render(experiment(alarmed)).count("| missed") == 4


def test_the_planted_delay_is_a_share_of_the_call_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # The call takes from 0 to 1000 ns; the clock is then read every 30 ns, and 1100 is passed at 1120.
    readings = itertools.chain([0, 1000], itertools.count(1030, 30))
    read: list[int] = []

    def clock() -> int:
        read.append(next(readings))
        return read[-1]

    monkeypatch.setattr("time.perf_counter_ns", clock)

    def forward(inputs: Tensor) -> Tensor:
        return 2 * inputs

    assert gate.delayed(forward, torch.ones(1)) == torch.tensor([2.0])
    assert read[-1] == 1120


def test_an_interrupted_experiment_goes_on_where_it_was_asked_the_same_on_the_same_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "gate.json"
    assert gate.before(path, 12.0, 0.01) is None, "there is none"
    kept = experiment(judge(session(1), session(2), session(3), "fp16")).model_copy(
        update={"quantbench": version("quantbench")}
    )
    path.write_text(kept.model_dump_json())
    monkeypatch.setattr(gate, "describe", lambda: MACHINE)
    assert gate.before(path, 12.0, 0.01) == kept
    assert gate.before(path, 90.0, 0.01) is None, "of another budget"
    monkeypatch.setattr(gate, "describe", lambda: MACHINE.model_copy(update={"isa": ["AVX2"]}))
    assert gate.before(path, 12.0, 0.01) is None, "of another machine"
    path.write_text('{"tries": [{"passed": true}]}')
    assert gate.before(path, 12.0, 0.01) is None, "of a version that wrote another form"
