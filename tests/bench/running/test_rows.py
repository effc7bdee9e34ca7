"""A failure is a row, and every other row stands."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.core.errors import CheckpointError, RequestError, UnsupportedError
from bench.core.progress import Bars
from bench.core.variant_key import VariantKey
from bench.measuring.latency.rounds import BASE_ROUNDS, Rounds
from bench.results.row import Row
from bench.results.settings import Settings
from bench.running.rows import measure_model
from bench.running.variant_under_test import VariantUnderTest
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import TaskModel, VariantRequest
from tests.bench.examples import SETTINGS

QUICK = SETTINGS.model_copy(update={"timeout_s": 60.0, "pinned_cores": []})
FP32, PLANTED, OTHER = "fp32", "bf16", "dynamic-qint8"


class Impatient(VariantUnderTest):
    """Counts as hung after half a second, in which the others, however busy the machine is, do not."""

    def start(self, host: str, timeout_s: float) -> None:
        super().start(host, timeout_s=0.5)


def tick(patch: pytest.MonkeyPatch) -> None:
    """Let the clock that budgets are kept by go on by 10 ms each time it is read, and by nothing else."""
    clock = itertools.count(step=0.01).__next__
    patch.setattr("bench.running.latency.time", SimpleNamespace(monotonic=clock))
    patch.setattr("bench.running.latency.Rounds", functools.partial(Rounds, clock=clock))
    patch.setattr("bench.measuring.latency.rounds.START_S", 0.1)


def variant(
    folder: Path, technique: str, plant: str = "none", unsupported_reason: Exception | None = None
) -> VariantUnderTest:
    """Return a variant that a fake host makes, in which ``plant`` goes wrong."""
    request = VariantRequest(
        key=VariantKey(technique),
        workload=TaskModel("mnist", "lab1", dataset=Path("unused"), checkpoint=Path("unused")),
        packed=folder / f"{technique}.packed",
        device="cpu",
        engine=plant,
        isa=frozenset(),
        threads=1,
        largest_batch=64,
    )
    kind = Impatient if plant.endswith(": hang") else VariantUnderTest
    return kind(TECHNIQUES.get(technique), request, unsupported_reason)


def measure(variants: list[VariantUnderTest], settings: Settings = QUICK) -> dict[str, Row]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.running.rows.VARIANT_HOST", "tests.bench.hosts:FakeVariant")
        measured = measure_model(variants, settings, cores=2, bars=Bars("nothing"))
    assert [row.technique for row in measured] == [variant.key.technique for variant in variants]
    assert all(variant.worker is None for variant in variants), "no process is left"
    return {row.technique: row for row in measured}


def measure_with(folder: Path, plant: str) -> Row:
    """Return the row in which ``plant`` went wrong, having checked that the rows beside it stand."""
    rows = measure([variant(folder, FP32), variant(folder, PLANTED, plant), variant(folder, OTHER)])
    for name in (FP32, OTHER):
        row = rows[name]
        assert (row.status, row.reason) == ("ok", "")
        assert (row.size_bytes, row.packed_bytes) == (100, 50)
        assert row.accuracy is not None
        assert row.latency.keys() == {1, 64}
        assert all(len(latency.rounds_s) == BASE_ROUNDS for latency in row.latency.values())
    assert rows[OTHER].speedup[64].value == pytest.approx(2.0)
    return rows[PLANTED]


def test_a_variant_that_behaves_has_everything(tmp_path: Path) -> None:
    row = measure_with(tmp_path, "none")
    assert (row.status, row.scheme, row.dtype) == ("ok", "--", "bfloat16")
    assert (row.size_bytes, row.packed_bytes, row.bytes_by_dtype) == (100, 50, {"float32": 40})
    assert (row.params, row.macs) == (10, 8)
    assert row.accuracy is not None
    assert row.accuracy.correct == 9
    assert row.agreement is not None
    assert (row.agreement.same, row.agreement.lost, row.agreement.gained, row.agreement.p_value) == (8, 1, 1, 1.0)
    latency = row.latency[64]
    assert latency.rounds_s == pytest.approx([0.064] * BASE_ROUNDS)
    assert latency.runs_s == pytest.approx([0.064] * 5)
    assert latency.rounds == list(range(BASE_ROUNDS))
    assert latency.calls_per_block == 10
    assert row.speedup[1].value == pytest.approx(2.0)
    assert row.speedup[1].n == BASE_ROUNDS
    assert row.notes == ["an example"]


def test_the_baseline_has_no_speedup_over_itself(tmp_path: Path) -> None:
    row = measure([variant(tmp_path, FP32)])[FP32]
    assert row.latency.keys() == {1, 64}
    assert not row.speedup
    assert row.agreement is None


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("build: die SIGSEGV", "the process died of SIGSEGV"),
        ("build: die SIGABRT", "the process died of SIGABRT"),
        ("build: die SIGKILL", "died of SIGKILL, which is how a system that runs out of memory ends a process"),
        ("build: stumble", "ZeroDivisionError: division by zero"),
        ("build: exhaust", "it ran out of memory (MemoryError)"),
        ("build: exhaust_torch", "it ran out of memory ("),
    ],
)
def test_a_variant_that_cannot_be_built_is_a_row_with_the_reason(tmp_path: Path, plant: str, reason: str) -> None:
    row = measure_with(tmp_path, plant)
    assert row.status == "failed"
    assert reason in row.reason
    assert (row.size_bytes, row.packed_bytes, row.accuracy, row.latency, row.speedup) == (None, None, None, {}, {})


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("evaluate: NaN", "ValueError: the logits are not finite numbers (NaN or infinity)"),
        ("evaluate: wrong shape", "ValueError: the logits have shape (3,), not (3, classes)"),
        ("evaluate: None", "ValueError: the model returned NoneType, not a tensor of logits"),
    ],
)
def test_answers_that_are_none_are_no_accuracy(tmp_path: Path, plant: str, reason: str) -> None:
    row = measure_with(tmp_path, plant)
    assert (row.status, row.reason) == ("failed", reason)
    assert (row.accuracy, row.agreement, row.latency) == (None, None, {})
    assert row.packed_bytes == 50, "what was measured before stands"


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("warm up 64: die SIGSEGV", "the process died of SIGSEGV"),
        ("reallocate: stumble", "ZeroDivisionError: division by zero"),
        ("time: leave", "the process ended with code 3"),
        ("time: stumble", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_crash_among_the_rounds_leaves_no_half_latency(tmp_path: Path, plant: str, reason: str) -> None:
    row = measure_with(tmp_path, plant)
    assert row.status == "failed"
    assert reason in row.reason
    assert (row.latency, row.speedup) == ({}, {})
    assert row.accuracy is not None, "what was measured before the crash stands"
    assert row.agreement is not None


def test_a_crash_at_one_batch_size_leaves_the_one_before(tmp_path: Path) -> None:
    row = measure_with(tmp_path, "time 64: die SIGSEGV")
    assert (row.status, row.reason) == ("failed", "the process died of SIGSEGV")
    assert row.latency.keys() == row.speedup.keys() == {1}


@pytest.mark.parametrize(
    "plant", ["build: hang", "evaluate: hang", "warm up 64: hang", "reallocate: hang", "time: hang"]
)
def test_a_hang_is_ended_while_others_go_on(tmp_path: Path, plant: str) -> None:
    row = measure_with(tmp_path, plant)
    assert (row.status, row.reason) == (
        "failed",
        "it hung: no sign of life for 0.5 s, so its process was ended",
    )


@pytest.mark.parametrize(
    ("plant", "note"),
    [
        ("reload: other logits", "no packed size: its file reloads to other logits"),
        ("reload: die SIGSEGV", "no packed size: its file cannot be reloaded (the process died of SIGSEGV)"),
        ("reload: refuse", "no packed size: its file cannot be reloaded (this model has no Linear layers)"),
        (
            "reload: damaged",
            "no packed size: its file cannot be reloaded (the packed file is damaged; pack the variant again)",
        ),
    ],
)
def test_a_packed_file_that_is_not_the_variant_has_no_size(tmp_path: Path, plant: str, note: str) -> None:
    row = measure_with(tmp_path, plant)
    assert row.status == "ok", "the variant itself is measured"
    assert (row.packed_bytes, row.bytes_by_dtype) == (None, {})
    assert note in row.notes
    assert row.size_bytes == 100
    assert row.latency.keys() == {1, 64}


def test_packed_files_are_deleted(tmp_path: Path) -> None:
    one = variant(tmp_path, FP32)
    one.request.packed.write_bytes(b"packed")
    measure([one])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plant", ["build: die SIGSEGV", "time: stumble", "time: hang"])
def test_without_a_baseline_the_others_have_latencies_and_no_speedup(tmp_path: Path, plant: str) -> None:
    rows = measure([variant(tmp_path, FP32, plant), variant(tmp_path, OTHER)])
    assert rows[FP32].status == "failed"
    assert rows[OTHER].status == "ok"
    assert rows[OTHER].latency.keys() == {1, 64}
    assert not rows[OTHER].speedup


def test_every_variant_may_fail(tmp_path: Path) -> None:
    rows = measure([variant(tmp_path, name, "build: die SIGSEGV") for name in (FP32, OTHER)])
    assert [row.status for row in rows.values()] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("unsupported_reason", "status"),
    [(UnsupportedError("there is no engine; try another"), "unsupported"), (ValueError("the loss is nan"), "failed")],
)
def test_what_is_known_not_to_work_is_not_tried(tmp_path: Path, unsupported_reason: Exception, status: str) -> None:
    rows = measure([variant(tmp_path, FP32), variant(tmp_path, OTHER, "build: die SIGSEGV", unsupported_reason)])
    assert (rows[OTHER].status, rows[OTHER].reason) == (status, str(unsupported_reason))


def test_a_variant_that_refuses_is_unsupported(tmp_path: Path) -> None:
    row = measure_with(tmp_path, "build: refuse")
    assert (row.status, row.reason) == ("unsupported", "this model has no Linear layers")


def test_a_damaged_checkpoint_concerns_all_and_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        measure([variant(tmp_path, FP32, unsupported_reason=CheckpointError("it is damaged"))])


def test_a_warm_up_that_did_not_settle_is_noted(tmp_path: Path) -> None:
    row = measure_with(tmp_path, "never warm")
    assert "the warm-up did not settle at batch 1 and 64" in row.notes


def test_blocks_that_stay_disturbed_count_and_are_all_kept(tmp_path: Path) -> None:
    latency = measure_with(tmp_path, "disturbed").latency[1]
    assert latency.disturbed == list(range(BASE_ROUNDS))
    assert len(latency.repeated_s) == 2 * BASE_ROUNDS
    assert latency.causes == {"steal": 3 * BASE_ROUNDS}


@pytest.mark.parametrize("plant", ["none", "reload: other logits"])
def test_a_long_budget_goes_on_in_fresh_processes(tmp_path: Path, plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the packed file or, if that is not the same, built anew."""
    tick(monkeypatch)
    patient = QUICK.model_copy(update={"budget_s": 0.8, "precision": 1e-9})
    rows = measure([variant(tmp_path, FP32), variant(tmp_path, PLANTED, plant)], patient)
    for latency in rows[PLANTED].latency.values():
        assert latency.starts == sorted(latency.starts)
        assert latency.starts[0] == 0
        assert set(latency.starts) <= set(latency.rounds)
        assert len(latency.warm_up_s) >= len(latency.starts)
    assert max(len(latency.starts) for latency in rows[PLANTED].latency.values()) > 1


def test_a_process_that_cannot_be_started_again_is_a_failed_row_that_keeps_its_latency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(monkeypatch)
    patient = QUICK.model_copy(update={"budget_s": 0.8, "precision": 1e-9})
    rows = measure([variant(tmp_path, FP32), variant(tmp_path, PLANTED, "build again: stumble")], patient)
    assert (rows[FP32].status, rows[PLANTED].status) == ("ok", "failed")
    assert "ZeroDivisionError" in rows[PLANTED].reason
    assert rows[PLANTED].latency.keys() == {1, 64}


def test_a_budget_that_lasts_is_spent_on_the_precision_and_what_stays_vague_is_noisy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(monkeypatch)
    rows = measure(
        [variant(tmp_path, FP32), variant(tmp_path, OTHER)],
        QUICK.model_copy(update={"budget_s": 0.8, "precision": 1e-9, "runs": 2}),
    )
    assert (rows[FP32].status, rows[OTHER].status) == ("ok", "noisy")
    assert rows[OTHER].reason.startswith("the speed-up is known to ±")
    for row in rows.values():
        assert all(len(latency.runs_s) == 2 for latency in row.latency.values())
        assert BASE_ROUNDS < sum(len(latency.rounds_s) for latency in row.latency.values()) < 0.8 / 0.01


def test_a_budget_that_does_not_last_for_a_round_of_each_run_is_refused(tmp_path: Path) -> None:
    hurried = QUICK.model_copy(update={"budget_s": 1e-6})
    with pytest.raises(RequestError, match=r"--budget 1e-06 is too short for mnist/lab1: .*; give \d+\.\d or more\."):
        measure([variant(tmp_path, FP32), variant(tmp_path, OTHER)], hurried)
