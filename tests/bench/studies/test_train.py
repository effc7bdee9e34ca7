"""Training, the whole way on synthetic digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import RequestError, UnknownNameError, WorkerError
from bench.running import model_session
from bench.storage import checkpoint
from bench.storage.checkpoint import Header, TrainingSpec
from bench.studies.train import TrainedModel, train
from bench.tasks.task import TASKS
from tests.bench.conftest import Command
from tests.bench.notebook import shown
from tests.bench.studies.conftest import FAILED, MODEL, OPTIONS, QUICK, Failing


def test_a_training_says_what_it_reached_and_where_its_weights_are() -> None:
    plain, low_bit = train(MODEL, ["fp32", "dorefa:w1"], **QUICK)
    assert (plain.technique, low_bit.technique) == ("fp32", "dorefa:w1a32")
    assert all(each.accuracy is not None and each.accuracy.correct > 600 for each in (plain, low_bit))
    assert plain.recipe["epochs"] == 1
    assert plain.packed_bytes is not None
    assert low_bit.packed_bytes is not None
    assert plain.packed_bytes > 25 * low_bit.packed_bytes
    assert checkpoint.read_header(low_bit.checkpoint).technique == "dorefa:w1a32"


@pytest.mark.slow
def test_what_is_trained_already_is_found() -> None:
    [first] = train(MODEL, ["bwn"], **QUICK)
    before = first.checkpoint.stat().st_mtime_ns
    [again] = train(MODEL, ["bwn"], **QUICK)
    assert again == first
    assert again.checkpoint.stat().st_mtime_ns == before
    [anew] = train(MODEL, ["bwn"], retrain=True, **QUICK)
    assert anew.checkpoint.stat().st_mtime_ns > before
    assert anew.accuracy == first.accuracy, "the same seed gives the same weights"


@pytest.mark.parametrize("techniques", [["bwn", "bwn:float16"], ["fp32", "dorefa:w32a32"]])
def test_techniques_that_differ_afterwards_only_share_a_training(techniques: list[str]) -> None:
    paths = {each.checkpoint for each in train(MODEL, techniques, **QUICK)}
    assert len(paths) == 1


@pytest.mark.slow
def test_a_training_keeps_its_history() -> None:
    [trained] = train(MODEL, ["fp32"], **(QUICK | {"epochs": 3}))
    first, _, last = trained.history
    assert last.loss < first.loss
    assert trained.seconds is not None
    assert 0 < first.seconds < last.seconds <= trained.seconds


def test_residual_networks_are_trained_under_autocast() -> None:
    specs = {f"{task}/{spec.name}": spec for task in ("mnist", "cifar10") for spec in TASKS.get(task).models}
    assert specs["mnist/lab1"].precision == "float32"
    assert specs["cifar10/resnet8"].precision == "bfloat16"


@pytest.mark.slow
def test_another_seed_or_length_is_another_training() -> None:
    trained = train(MODEL, ["fp32"], seeds=[0, 1], **QUICK)
    [longer] = train(MODEL, ["fp32"], **(QUICK | {"epochs": 2}))
    assert len({each.checkpoint for each in [*trained, longer]}) == 3


@pytest.mark.slow
def test_a_run_finds_the_weights_of_a_training() -> None:
    [trained] = train(MODEL, ["dorefa:w2a2"], **QUICK)
    done = bench.run(
        models=[MODEL], techniques=["dorefa:w2a2"], batch_sizes=[1], runs=1, precision=0.9, **QUICK
    )  # fmt: skip
    fp32, low_bit = done.rows
    assert (low_bit.scheme, low_bit.dtype, low_bit.simulated) == ("QAT", "dorefa w2a2", True)
    assert low_bit.accuracy == trained.accuracy
    assert low_bit.packed_bytes == trained.packed_bytes
    assert not fp32.simulated
    assert {each.technique for each in done.trainings} == {"", "dorefa:w2a2"}
    assert "(simulated)" in shown(done)


Outcomes = dict[TrainingSpec, Header | Exception]


def test_a_training_that_fails_leaves_the_others_as_they_are(failing: Failing) -> None:
    expected = train(MODEL, ["fp32", "dorefa:w1"], **QUICK)
    failing(lambda order: order.technique == "bwn:w1a32")
    plain, failed, low_bit = train(MODEL, ["fp32", "bwn", "dorefa:w1"], **QUICK)
    assert [plain, low_bit] == expected
    assert (failed.accuracy, failed.packed_bytes, failed.seconds) == (None, None, None)
    assert failed.reason == str(FAILED)


def test_a_variant_that_fails_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = model_session.ModelSession.evaluate
    lost = WorkerError("the process died of SIGKILL")
    monkeypatch.setattr(
        model_session.ModelSession,
        "evaluate",
        lambda session, variants, headers: [*evaluate(session, variants[:-1], headers), lost],
    )
    plain, failed = train(MODEL, ["fp32", "dorefa:w1"], **QUICK)
    assert (plain.reason, failed.reason) == ("", str(lost))
    assert failed.accuracy is None
    assert failed.seconds is not None, "its training did not fail"


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ((MODEL, ["dorefa:w6"]), RequestError, "dorefa has no w6; its widths are 1, 2, 3, 4, 5, 8, 16, 32."),
        (("lab1",), RequestError, "lab1 is a model of several tasks; choose mnist/lab1, sst2/lab1."),
        (("mnist/lab9",), UnknownNameError, "there is no mnist model 'lab9'"),
    ],
)
def test_what_cannot_be_trained_is_refused(arguments: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        train(*arguments, **QUICK)


def test_bench_train_prints_a_table_and_writes_the_figures(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("train", MODEL, "--technique", "bwn", *OPTIONS, "--out", str(tmp_path))
    assert code == 0
    assert "| mnist/lab1 | bwn:w1a32" in out
    assert "**SYNTHETIC data.**" in out
    [found] = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert TrainedModel.model_validate(found).technique == "bwn:w1a32"
    assert found["checkpoint"].startswith("mnist-lab1-bwn-w1a32-")


def test_a_training_that_fails_is_a_row_and_the_exit_code(command: Command, failing: Failing, tmp_path: Path) -> None:
    failing(lambda order: order.technique == "bwn:w1a32")
    techniques = ("--technique", "bwn", "--technique", "fp32")
    code, out, _ = command("train", MODEL, *techniques, *OPTIONS, "--out", str(tmp_path))
    assert code == 1
    assert f"- `bwn:w1a32`, seed 0: {FAILED}" in out.splitlines()
    failed, plain = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert TrainedModel.model_validate(failed).reason == str(FAILED)
    assert TrainedModel.model_validate(plain).accuracy is not None
