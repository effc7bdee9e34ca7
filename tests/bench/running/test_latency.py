"""Passes over the models of a run: fresh processes, one definition, budgets, failures and interruptions."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.core.errors import RequestError
from bench.measuring.latency.sampling import FEWEST_PROCESSES, LEAST_PROCESSES, ROUNDS
from bench.results.row import Row
from bench.running import participant
from bench.running.latency import ModelLatency, sample_latencies
from bench.running.variant_under_test import VariantUnderTest
from tests.bench.hosts import EMULATED, SIMULATED, log_of
from tests.bench.running.fake_models import BRIEF, FP32, OTHER, PLANTED, QUICK, fakes, made, rows_of, sampled, variant

PATIENT = QUICK.model_copy(update={"budget_s": None})


def sampled_with(folder: Path, plant: str) -> Row:
    """Return the row in which ``plant`` went wrong, having checked that the rows beside it stand."""
    rows = rows_of([variant(folder, FP32), variant(folder, PLANTED, plant), variant(folder, OTHER)])
    for name in (FP32, OTHER):
        assert (rows[name].status, rows[name].reason) == ("ok", "")
        assert rows[name].latency.keys() == {1, 64}
        for latency in rows[name].latency.values():
            assert sorted(set(latency.processes)) == list(range(BRIEF))
    assert rows[OTHER].speedup[64].value == pytest.approx(2.0)
    assert rows[OTHER].speedup[64].n == BRIEF
    return rows[PLANTED]


def test_a_variant_that_behaves_has_a_latency_of_every_process(tmp_path: Path) -> None:
    row = sampled_with(tmp_path, "none")
    latency = row.latency[64]
    assert latency.rounds_s == pytest.approx([0.064] * BRIEF * ROUNDS)
    assert latency.runs_s == pytest.approx([0.064] * 5)
    assert latency.rounds == list(range(BRIEF * ROUNDS))
    assert latency.processes == [process for process in range(BRIEF) for _ in range(ROUNDS)]
    assert (latency.calls_per_block, latency.cold, len(latency.warm_up_s)) == (10, 0, BRIEF)
    assert row.speedup[1].value == pytest.approx(2.0)
    assert (row.speedup[1].n, row.speedup[1].retired) == (BRIEF, False)


def test_the_baseline_has_no_speedup_over_itself(tmp_path: Path) -> None:
    row = rows_of([variant(tmp_path, FP32)])[FP32]
    assert row.latency.keys() == {1, 64}
    assert not row.speedup


def test_the_ratio_of_two_latencies_is_the_speedup(tmp_path: Path) -> None:
    """One definition, though the processes of both differ by a fifth."""
    rows = rows_of(
        [variant(tmp_path, FP32, "restless"), variant(tmp_path, PLANTED, "restless"), variant(tmp_path, OTHER)]
    )
    for name, size in itertools.product((PLANTED, OTHER), (1, 64)):
        speedup = rows[name].speedup[size]
        assert rows[FP32].latency[size].estimate_s / rows[name].latency[size].estimate_s == pytest.approx(speedup.value)
        assert speedup.low < speedup.value < speedup.high


# Passes


def test_passes_that_are_short_are_spread_by_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One model's pass takes a second of the fake clock here, which is part of the distance between two."""
    rests: list[float] = []
    monkeypatch.setattr("bench.running.latency.rest", rests.append)
    settings = PATIENT.model_copy(update={"spread_s": 60.0})
    sampled([variant(tmp_path, FP32), variant(tmp_path, OTHER)], settings=settings)
    assert len(rests) == LEAST_PROCESSES - 1, "none after the last"
    assert all(60 / LEAST_PROCESSES - 4 < seconds < 60 / LEAST_PROCESSES for seconds in rests)


def test_passes_that_precision_asks_for_need_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("bench.running.latency.rest", rests.append)
    settings = PATIENT.model_copy(update={"spread_s": 60.0, "precision": 1e-4})
    sampled([variant(tmp_path, FP32), variant(tmp_path, OTHER, "restless")], settings=settings)
    assert len(rests) > LEAST_PROCESSES
    assert all(rests[: LEAST_PROCESSES - 1])
    assert not any(rests[LEAST_PROCESSES:])


def test_passes_over_many_models_need_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("bench.running.latency.rest", rests.append)
    models = [[variant(tmp_path / str(number), FP32)] for number in range(3)]
    for number in range(3):
        (tmp_path / str(number)).mkdir()
    sampled(*models, settings=PATIENT.model_copy(update={"spread_s": 12.0}))
    assert set(rests) == {0.0}


def test_every_pass_uses_fresh_processes_that_warm_up_alone(tmp_path: Path) -> None:
    variants = [variant(tmp_path, name) for name in (FP32, OTHER)]
    sampled(variants)
    for name in (FP32, OTHER):
        lines = [line.split(" ", 2) for line in log_of(tmp_path, name)]
        timed = [pid for _, pid, step in lines if step.startswith("warm up")]
        assert len(set(timed)) == len(timed) == BRIEF
        assert not {pid for _, pid, step in lines if step in ("build", "verify")} & set(timed)
        assert [step for _, pid, step in lines if pid == timed[0]][:2] == ["reload", "warm up [1, 64]"]
    together = [line.split(" ", 2) for line in (tmp_path / "log").read_text().splitlines()]
    ending = [position for position, (*_, step) in enumerate(together) if step.startswith("warm up")]
    for first, second in zip(ending[::2], ending[1::2], strict=True):
        assert second == first + 1, "no block is timed and nothing is built between the two"


def test_a_variant_whose_packed_file_is_not_the_same_is_built_in_each_pass(tmp_path: Path) -> None:
    sampled([variant(tmp_path, FP32), variant(tmp_path, PLANTED, "verify: other logits")])
    steps = [line.split(" ", 2)[2] for line in log_of(tmp_path, PLANTED)]
    assert (steps.count("build"), steps.count("reload")) == (1 + BRIEF, 0)


def test_passes_go_over_all_models_and_not_model_after_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    make_pass = ModelLatency.make_pass

    def noted(model: ModelLatency) -> None:
        order.append(model.name)
        make_pass(model)

    monkeypatch.setattr(ModelLatency, "make_pass", noted)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    sampled([variant(first, FP32)], [variant(second, FP32), variant(second, OTHER)])
    assert order == ["mnist/lab1", "mnist/lab2"] * BRIEF


def test_without_a_budget_there_is_the_least_number_of_processes(tmp_path: Path) -> None:
    rows = rows_of([variant(tmp_path, FP32), variant(tmp_path, OTHER)], PATIENT)
    assert rows[OTHER].speedup[1].n == LEAST_PROCESSES
    assert (rows[OTHER].status, rows[OTHER].reason) == ("ok", "")


def test_what_stays_imprecise_is_noisy(tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"precision": 1e-9, "runs": 2})
    rows = rows_of([variant(tmp_path, FP32), variant(tmp_path, OTHER, "restless")], settings)
    assert (rows[FP32].status, rows[OTHER].status) == ("ok", "noisy")
    assert "±0.00 % was asked" in rows[OTHER].reason
    assert all(len(latency.runs_s) == 2 for row in rows.values() for latency in row.latency.values())


def test_a_simulation_gets_few_processes_and_no_precision(tmp_path: Path) -> None:
    variants = [variant(tmp_path, FP32), variant(tmp_path, PLANTED, SIMULATED)]
    rows = rows_of(variants, PATIENT.model_copy(update={"precision": 1e-9}))
    assert rows[PLANTED].simulated
    assert rows[PLANTED].speedup[1].n == FEWEST_PROCESSES
    assert rows[PLANTED].status == "ok"
    assert len(set(rows[FP32].latency[1].processes)) == LEAST_PROCESSES


def test_a_hopeless_variant_is_retired_and_costs_no_more_time(tmp_path: Path) -> None:
    row = sampled_with(tmp_path, EMULATED)
    assert row.status == "ok", "it is no noisy row: nobody asks for its precision"
    for size in (1, 64):
        speedup = row.speedup[size]
        assert (speedup.retired, speedup.n, speedup.confidence) == (True, 2, 0.0)
        assert speedup.value == pytest.approx(1 / 25)
    steps = [line.split(" ", 2)[2] for line in log_of(tmp_path, PLANTED)]
    assert steps.count("reload") == 2, "no process of it is started for the other passes"


def test_a_warm_up_that_did_not_settle_is_counted(tmp_path: Path) -> None:
    assert sampled_with(tmp_path, "never warm").latency[64].cold == BRIEF


def test_blocks_that_stay_disturbed_count_and_are_all_kept(tmp_path: Path) -> None:
    latency = sampled_with(tmp_path, "disturbed").latency[1]
    assert latency.disturbed == list(range(BRIEF * ROUNDS))
    assert len(latency.repeated_s) == 2 * BRIEF * ROUNDS
    assert latency.causes == {"steal": 3 * BRIEF * ROUNDS}


# Failures


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("warm up 64: die SIGSEGV", "the process died of SIGSEGV"),
        ("reload: stumble", "ZeroDivisionError: division by zero"),
        ("time: leave", "the process ended with code 3"),
        ("time: stumble", "ZeroDivisionError: division by zero"),
        ("time 64: die SIGSEGV", "the process died of SIGSEGV"),
        ("process 2 warm up 1: die SIGKILL", "the process died of SIGKILL"),
        ("process 2 reload: stumble", "ZeroDivisionError: division by zero"),
        ("process 2 time: stumble", "ZeroDivisionError: division by zero"),
        ("warm up 64: hang", "it hung: no sign of life for 0.5 s"),
        ("reload: hang", "it hung: no sign of life for 0.5 s"),
        ("time: hang", "it hung: no sign of life for 0.5 s"),
    ],
)
def test_a_variant_that_fails_in_a_pass_is_a_row_without_latencies(tmp_path: Path, plant: str, reason: str) -> None:
    row = sampled_with(tmp_path, plant)
    assert row.status == "failed"
    assert reason in row.reason
    assert (row.latency, row.speedup) == ({}, {})
    assert row.accuracy is not None, "what was measured before the passes stands"
    assert row.packed_bytes == 50


@pytest.mark.parametrize("plant", ["build: die SIGSEGV", "time: stumble", "process 2 time: stumble"])
def test_without_a_baseline_the_others_have_latencies_and_no_speedup(tmp_path: Path, plant: str) -> None:
    rows = rows_of([variant(tmp_path, FP32, plant), variant(tmp_path, OTHER)])
    assert rows[FP32].status == "failed"
    assert rows[OTHER].status == "ok"
    assert rows[OTHER].latency.keys() == {1, 64}
    assert rows[OTHER].latency[1].estimate_s == pytest.approx(1e-3)
    assert not rows[OTHER].speedup


def test_every_variant_may_fail(tmp_path: Path) -> None:
    rows = rows_of([variant(tmp_path, name, "build: die SIGSEGV") for name in (FP32, OTHER)])
    assert [row.status for row in rows.values()] == ["failed", "failed"]


# Budgets


def test_a_budget_too_short_for_an_interval_names_the_least(tmp_path: Path) -> None:
    variants = [variant(tmp_path, FP32), variant(tmp_path, OTHER)]
    with pytest.raises(RequestError) as refusal:
        sampled(variants, settings=QUICK.model_copy(update={"budget_s": 5.0}))
    message = str(refusal.value)
    assert message.startswith("--budget 5 is too short for mnist/lab1: ")
    assert "takes 1.0 s" in message
    assert message.endswith("give 9 or more.")
    assert all(one.worker is None for one in variants), "no process is left"


def test_the_pauses_of_threads_are_part_of_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing else takes time, a pass of two variants and the reference takes as long as its pauses."""
    pauses: list[float] = []
    monkeypatch.setattr(participant, "time", SimpleNamespace(sleep=pauses.append))
    settings = QUICK.model_copy(update={"threads": 2, "budget_s": 4.0})
    with fakes() as patch:
        patch.setattr("bench.running.latency.time", SimpleNamespace(monotonic=lambda: sum(pauses)))
        model = made([variant(tmp_path, FP32), variant(tmp_path, OTHER)], settings)
        model.make_pass()
        pass_s = model.sample.spent_s
        assert pass_s == pytest.approx((3 + 2 * 3 * ROUNDS) * participant.SETTLE_S), "of warm-ups and of blocks"
        sample_latencies([model])
    assert 4.0 - pass_s < model.sample.spent_s <= 4.0 + pass_s / 2


# Interruptions


def test_an_interrupted_run_goes_on_with_the_processes_that_it_has(tmp_path: Path) -> None:
    sweeps = itertools.count(1)

    def interrupt() -> None:
        if next(sweeps) == 4:
            raise KeyboardInterrupt

    def variants() -> list[VariantUnderTest]:
        return [variant(tmp_path, FP32), variant(tmp_path, PLANTED, EMULATED), variant(tmp_path, OTHER, "time: leave")]

    stopped = variants()
    with pytest.raises(KeyboardInterrupt):
        sampled(stopped, after_sweep=interrupt)
    before = {one.key: one.row() for one in stopped}
    again = variants()
    for one in again:
        one.take_up(before[one.key])
    (tmp_path / "log").unlink()
    rows = rows_of(again)
    for one in again:
        row, old = rows[one.key.technique], before[one.key]
        now = {"latency": row.latency, "speedup": row.speedup}
        assert old.model_copy(update=now) == row, "all but the latencies is as it was"
    assert rows[FP32].latency[1].processes[: 4 * ROUNDS] == before[stopped[0].key].latency[1].processes
    assert sorted(set(rows[FP32].latency[1].processes)) == list(range(4 + BRIEF)), "a budget is one of a sitting"
    assert (rows[PLANTED].speedup[1].retired, rows[OTHER].status) == (True, "failed")
    assert "evaluate" not in " ".join(log_of(tmp_path, FP32)), "the accuracy is known"


def test_a_noisy_row_of_an_interrupted_run_is_judged_anew(tmp_path: Path) -> None:
    first = [variant(tmp_path, FP32), variant(tmp_path, OTHER)]
    before = rows_of(first)
    again = [variant(tmp_path, FP32), variant(tmp_path, OTHER)]
    for one in again:
        one.take_up(before[one.key.technique].model_copy(update={"status": "noisy", "reason": "the load"}))
    rows = rows_of(again)
    assert [(row.status, row.reason) for row in rows.values()] == [("ok", "")] * 2
    assert rows[OTHER].speedup[1].n > before[OTHER].speedup[1].n
