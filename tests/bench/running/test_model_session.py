"""Training, distilling, exporting and inspecting, the whole way on synthetic digits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.core.errors import CheckpointError, RequestError, TrainingError, UnknownNameError, WorkerError
from bench.measuring import machine
from bench.report import inspection as report_inspection
from bench.report.distillation import render
from bench.results.distillation import Distillation
from bench.running import model_session, weights
from bench.storage import checkpoint
from bench.storage.checkpoint import Header, TrainingSpec
from bench.studies.distill import distill
from bench.studies.export import export
from bench.studies.inspect import inspect
from bench.studies.train import TrainedModel, train
from bench.tasks.task import TASKS
from bench.worker.process import Worker
from tests.bench.conftest import Command
from tests.bench.notebook import shown

MODEL = "mnist/lab1"
QUICK: dict[str, Any] = {"data": "synthetic", "progress": False, "epochs": 1}
SMALL_CHAIN: dict[str, Any] = {"chain": [32, 2], "seeds": [0, 1], "sources": ["both"]}


# Training


def test_a_training_says_what_it_reached_and_where_its_weights_are() -> None:
    plain, low_bit = train(MODEL, ["fp32", "dorefa:w1"], **QUICK)
    assert (plain.technique, low_bit.technique) == ("fp32", "dorefa:w1a32")
    assert all(each.accuracy is not None and each.accuracy.correct > 600 for each in (plain, low_bit))
    assert plain.recipe["epochs"] == 1
    assert plain.packed_bytes is not None
    assert low_bit.packed_bytes is not None
    assert plain.packed_bytes > 25 * low_bit.packed_bytes
    assert checkpoint.read_header(low_bit.checkpoint).technique == "dorefa:w1a32"


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


def test_another_seed_or_length_is_another_training() -> None:
    trained = train(MODEL, ["fp32"], seeds=[0, 1], **QUICK)
    [longer] = train(MODEL, ["fp32"], **(QUICK | {"epochs": 2}))
    assert len({each.checkpoint for each in [*trained, longer]}) == 3


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
FAILED = TrainingError("the training diverged; try another --seed.")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[TrainingSpec], bool]], None]:
    """Let trainings fail, those that are chosen."""

    def choose(fails: Callable[[TrainingSpec], bool]) -> None:
        def train_some(trainings: Sequence[TrainingSpec], *rest: Any, **options: Any) -> Outcomes:
            trained = [training for training in trainings if not fails(training)]
            failed: Outcomes = {training: FAILED for training in trainings if fails(training)}
            return weights.load_or_train(trained, *rest, **options) | failed

        monkeypatch.setattr(model_session, "load_or_train", train_some)

    return choose


Failing = Callable[[Callable[[TrainingSpec], bool]], None]


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
        (("lab1",), RequestError, "lab1 is a model of several tasks; say which: mnist/lab1, sst2/lab1."),
        (("mnist/lab9",), UnknownNameError, "there is no mnist model 'lab9'"),
    ],
)
def test_what_cannot_be_trained_is_refused(arguments: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        train(*arguments, **QUICK)


# Recipes and warm starts


def test_a_recipe_can_be_asked_for_by_name_and_by_part() -> None:
    [named] = train(MODEL, ["dorefa:w1"], recipe="warm-1bit", weight_decay=0.01, **QUICK)
    asked = {name: named.recipe[name] for name in ("learning_rate", "weight_decay", "schedule", "optimizer")}
    assert asked == {"learning_rate": 0.1, "weight_decay": 0.01, "schedule": "cosine", "optimizer": "sgd"}
    assert named.recipe["batch_size"] == TASKS.get("mnist").models[0].recipe.batch_size
    [own] = train(MODEL, ["dorefa:w1"], **QUICK)
    assert named.checkpoint != own.checkpoint


def test_a_training_starts_from_a_checkpoint() -> None:
    [plain] = train(MODEL, ["fp32"], **QUICK)
    still: dict[str, Any] = QUICK | {"learning_rate": 1e-12, "schedule": "constant"}
    [warm, cold] = [train(MODEL, ["pact:w8a8"], start=start, **still)[0] for start in (plain.checkpoint, None)]
    assert warm.start.startswith("teacher-")
    assert cold.start == ""
    assert warm.checkpoint != cold.checkpoint
    assert warm.accuracy is not None
    assert plain.accuracy is not None
    assert abs(warm.accuracy.correct - plain.accuracy.correct) < 30, "of 2,000: almost the weights it started from"
    before, after = (checkpoint.load(each.checkpoint)[0].state_dict() for each in (plain, warm))
    torch.testing.assert_close({name: after[name] for name in before}, before)


def test_a_start_that_does_not_fit_is_refused() -> None:
    [other] = train("mnist/lab2", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match=r"the start .* takes other inputs than lab1; give one that takes the same"):
        train(MODEL, ["bwn"], start=other.checkpoint, **QUICK)
    [larger] = train("mnist/mlp3x1024", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match="whose weights do not fit lab1; give one of that network"):
        train(MODEL, ["bwn"], start=larger.checkpoint, **QUICK)
    with pytest.raises(CheckpointError, match=r"cannot be read .*; name another with --start"):
        train(MODEL, ["bwn"], start="nowhere.safetensors", **QUICK)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"learning_rate": 0.0}, "--learning-rate 0 must be above 0; for example 0.05."),
        ({"learning_rate": float("nan")}, "--learning-rate nan must be above 0"),
        ({"weight_decay": -1e-4}, "--weight-decay -0.0001 must be between 0 and 1; for example 0.0001."),
        ({"schedule": "linear"}, "--schedule linear must be constant, one-cycle, cosine or steps."),
        ({"optimizer": "lamb"}, "--optimizer lamb must be adam or sgd."),
        ({"optimizer": "adam"}, "--optimizer adam must have a --learning-rate with it; for example 0.001."),
    ],
)
def test_a_recipe_that_trains_nothing_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=re.escape(sentence)):
        train(MODEL, **changes, **QUICK)


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="warm-1bit"):
        train(MODEL, recipe="warm-1bits", **QUICK)


# Distilling


@pytest.fixture(scope="module")
def distilled(shared_cache: Path) -> Distillation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        return distill(MODEL, **SMALL_CHAIN, **QUICK)


def test_every_width_is_trained_every_way(distilled: Distillation) -> None:
    ways = [(student.bits, student.route, student.source, student.seed) for student in distilled.students]
    assert ways == [
        (32, "alone", "", 0),
        (32, "alone", "", 1),
        *((2, route, source, seed) for seed in (0, 1) for route, source in WAYS),
    ]
    assert {student.technique for student in distilled.students} == {"dorefa:w32a32", "dorefa:w2a2"}


WAYS = (("alone", ""), ("one step", "both"), ("chain", "both"))


def test_a_chain_of_two_is_one_step(distilled: Distillation) -> None:
    by_way = {(each.route, each.seed): each.accuracy for each in distilled.students if each.bits == 2}
    assert all(by_way["one step", seed] == by_way["chain", seed] for seed in (0, 1))


def test_the_table_has_a_row_a_width_and_a_column_a_way(distilled: Distillation) -> None:
    lines = render(distilled).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "Bits",
        "Packed (kB)",
        "alone",
        "one step: both",
        "chain: both",
    ]
    assert lines[2].startswith("|     32")
    assert "**SYNTHETIC data**" in render(distilled)
    assert "over 2 seeds" in render(distilled)


def test_a_student_that_fails_leaves_the_others_as_they_are(distilled: Distillation, failing: Failing) -> None:
    failing(lambda order: order.seed == 1 and not order.technique)  # the widest of one seed
    found = distill(MODEL, **SMALL_CHAIN, **QUICK)
    reasons = {(each.bits, each.route, each.seed): each.reason for each in found.students if each.reason}
    assert reasons == {
        (32, "alone", 1): str(FAILED),
        (2, "one step", 1): f"its teacher failed: {FAILED}",
        (2, "chain", 1): f"its teacher failed: {FAILED}",
    }
    right = [each for each in found.students if not each.reason]
    assert right == [each for each in distilled.students if (each.bits, each.route, each.seed) not in reasons]
    lines = render(found).splitlines()
    assert [cell.strip().endswith("% (1 of 2)") for cell in lines[3].strip("|").split("|")[2:]] == [False, True, True]
    assert f"- 2 bits, chain: both, seed 1: its teacher failed: {FAILED}" in lines


def test_a_width_that_fails_is_a_row_of_failures(failing: Failing) -> None:
    failing(lambda order: True)
    done = distill(MODEL, **(SMALL_CHAIN | {"chain": [32, 8, 2], "seeds": [0]}), **QUICK)
    assert {each.reason for each in done.students} == {str(FAILED), f"its teacher failed: {FAILED}"}
    assert [cell.strip() for cell in render(done).splitlines()[4].strip("|").split("|")] == ["2", "–", *["failed"] * 3]


def test_a_teacher_of_ones_own_teaches_the_widest_too(tmp_path: Path) -> None:
    [larger] = train("mnist/mlp3x1024", ["fp32"], **QUICK)
    own = larger.checkpoint.rename(tmp_path / "larger.safetensors")
    done = distill(MODEL, **(SMALL_CHAIN | {"seeds": [0], "sources": ["loss"]}), teacher=own, **QUICK)
    assert [(each.bits, each.route) for each in done.students] == [
        (bits, route) for bits in (32, 2) for route in ("alone", "one step", "chain")
    ]
    assert done.teacher == "mnist/mlp3x1024"
    assert "taught by mnist/mlp3x1024" in render(done)


def test_a_teacher_that_does_not_fit_is_refused() -> None:
    [larger] = train("mnist/mlp3x1024", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match="whose weights do not fit lab1; learn from its answers alone"):
        distill(MODEL, **SMALL_CHAIN, teacher=larger.checkpoint, **QUICK)
    [words] = train("sst2/lab2", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match=r"was trained on synthetic data of sst2 .* not on synthetic data of mnist"):
        distill(MODEL, **SMALL_CHAIN, teacher=words.checkpoint, **QUICK)
    [smaller] = train("mnist/lab2", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match="takes other inputs than lab1"):
        distill(MODEL, **SMALL_CHAIN, teacher=smaller.checkpoint, **QUICK)
    with pytest.raises(CheckpointError, match="cannot be read"):
        distill(MODEL, **SMALL_CHAIN, teacher="nowhere.safetensors", **QUICK)


def test_a_teacher_that_is_not_there_is_answered_with_the_option_that_names_one(distilled: Distillation) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.safetensors cannot be read \(No such .*; name another with"):
        distill(MODEL, **SMALL_CHAIN, teacher="nowhere.safetensors", **QUICK)


def test_what_was_distilled_is_not_trained_again(distilled: Distillation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.running.weights.PREPARATION_HOST", "tests.bench.hosts:Host")  # which cannot train
    again = distill(MODEL, **SMALL_CHAIN, **QUICK)
    assert [each.accuracy for each in again.students] == [each.accuracy for each in distilled.students]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"chain": [32]}, "--chain 32 must have at least two widths"),
        ({"chain": [32, 8, 32]}, "--chain 32,8,32 must have at least two widths"),
        ({"chain": [8, 32]}, "--chain 8,32 must go from wide to narrow"),
        ({"weight": 0.0}, "--weight 0 must be above 0 and up to 1"),
        ({"temperature": 0.0}, "--temperature 0 must be above 0"),
        ({"seeds": []}, "--seed must be given once or more"),
        ({"sources": ["nothing"]}, "--source nothing must be start, loss or both"),
        ({"family": "bwn"}, "bwn has no w32"),
        ({"family": "range-linear", "chain": [8, 4]}, "range-linear is not trained at a width"),
    ],
)
def test_a_distillation_that_makes_no_sense_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        distill(MODEL, **(SMALL_CHAIN | changes), **QUICK)


# Exporting


@pytest.mark.parametrize(
    "technique", ["fp32", "fp16", "dynamic-qint8", "static-qint8", "dorefa:w3a4", "range-linear:w4a8"]
)
def test_an_exported_file_alone_gives_the_logits_back(technique: str, tmp_path: Path) -> None:
    path = tmp_path / "model.packed"
    facts = export(MODEL, path, technique, **QUICK)
    assert path.stat().st_size == facts.packed_bytes
    loaded = bench.load_packed(path)
    assert (loaded.origin.model, loaded.origin.network) == (MODEL, "mlp")
    torch.manual_seed(0)
    inputs = torch.rand(5, 784)
    assert loaded(inputs).shape == (5, 10)
    assert torch.equal(loaded(inputs), bench.load_packed(path)(inputs))
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"


def test_a_file_that_reloads_to_other_logits_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "call", dishonest(Worker.call))
    with pytest.raises(CheckpointError, match="reloads to other logits"):
        export(MODEL, tmp_path / "model.packed", "fp32", **QUICK)
    assert not list(tmp_path.iterdir())


def dishonest(call: Callable[..., Any]) -> Callable[..., Any]:
    def changed(worker: Worker, method: str, *args: object) -> Any:
        outcome = call(worker, method, *args)
        return "another fingerprint" if method == "reload" else outcome

    return changed


def test_a_folder_is_no_file_to_export_to(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is a folder; name a file for --out"):
        export(MODEL, tmp_path, "fp32", **QUICK)


def test_a_folder_that_cannot_be_written_is_refused_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(RequestError, match="cannot be written"):
        export("mnist/mlp3x1024", tmp_path / "file" / "model.packed", "fp32", data="synthetic", progress=False)


# Inspecting


def test_an_inspection_has_levels_outputs_and_scores(tmp_path: Path) -> None:
    found = inspect(MODEL, "dorefa:w2a2", ["layers.0"], out=tmp_path, **QUICK)
    assert found.described == ["layers.0"]
    first, last = found.layers
    assert first.values == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert (last.name, last.weights, last.distinct, last.bits) == ("layers.2", 5120, 4, 2)
    assert [layer.name for layer in found.outputs] == ["layers.0"]
    assert "course-2025" in found.scores
    assert shown(found) == report_inspection.render(found)
    assert (tmp_path / "weights.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_a_layer_that_there_is_not_is_a_sentence_before_any_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.running.weights.PREPARATION_HOST", "tests.bench.hosts:Host")  # which cannot train
    with pytest.raises(UnknownNameError, match=r"there is no layer 'layers\.9'"):
        inspect(MODEL, "bwn", ["layers.9"], seed=7, **QUICK)


def test_a_technique_that_quantizes_nothing_has_no_levels(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="dorefa:w32a32 quantizes nothing, so there are no levels to look at"):
        inspect(MODEL, "dorefa:w32a32", out=tmp_path, **QUICK)


def test_other_techniques_have_no_levels_to_look_at() -> None:
    with pytest.raises(RequestError, match="fp16 is no low-bit technique"):
        inspect(MODEL, "fp16", **QUICK)


# What all refuse before any training

REQUESTS: dict[str, Callable[..., object]] = {
    "train": lambda technique, **more: train(MODEL, [technique], seeds=[more.get("seed", 0)], **QUICK),
    "export": lambda technique, **more: export(MODEL, "never.packed", technique, **more, **QUICK),
    "inspect": lambda technique, **more: inspect(MODEL, technique, **more, **QUICK),
    "distill": lambda technique, **more: distill(MODEL, **(SMALL_CHAIN | {"seeds": [more.get("seed", 0)]}), **QUICK),
}


@pytest.mark.parametrize("seed", [-1, 2**63])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_seed_that_is_none_is_refused(name: str, seed: int) -> None:
    with pytest.raises(RequestError, match=f"--seed {seed} must be between 0 and"):
        REQUESTS[name]("bwn", seed=seed)


@pytest.mark.parametrize("name", ["train", "export"])
def test_a_technique_that_cannot_work_here_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DEFAULT_ENGINE", "bogus")
    monkeypatch.setattr("bench.running.weights.PREPARATION_HOST", "tests.bench.hosts:Host")  # which cannot train
    sentence = "static-qint8 cannot be had here: this torch has no bogus engine; choose another technique, or another"
    with pytest.raises(RequestError, match=sentence):
        REQUESTS[name]("static-qint8", seed=8)


# The commands

OPTIONS = ("--data", "synthetic", "--epochs", "1")


def test_bench_train_prints_a_table_and_writes_the_figures(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("train", MODEL, "--technique", "bwn", *OPTIONS, "--out", str(tmp_path))
    assert code == 0
    assert "| mnist/lab1 | bwn:w1a32" in out
    assert "**SYNTHETIC data.**" in out
    [found] = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert TrainedModel.model_validate(found).technique == "bwn:w1a32"
    assert found["checkpoint"].startswith("mnist-lab1-bwn-w1a32-")


def test_bench_distill_writes_table_and_figures(command: Command, tmp_path: Path) -> None:
    arguments = ("distill", MODEL, "--chain", "32,2", "--seed", "0", "--source", "both", *OPTIONS)
    code, out, _ = command(*arguments, "--out", str(tmp_path))
    assert code == 0
    assert "one step: both" in out
    found = Distillation.model_validate_json((tmp_path / "distillation.json").read_text(encoding="utf-8"))
    assert render(found) == (tmp_path / "distillation.md").read_text(encoding="utf-8").rstrip("\n")


def test_bench_export_says_what_the_file_holds(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "model.packed"
    code, out, _ = command("export", MODEL, "--technique", "bwn", *OPTIONS, "--out", str(path))
    assert code == 0
    assert f"{path.stat().st_size / 1e3:,.1f} kB" in out
    assert "uint8 50,816" in out, "406,528 weights of 1 bit"
    assert "reloaded to the same logits" in out


def test_bench_inspect_writes_what_it_prints(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("inspect", MODEL, "--technique", "bwn", *OPTIONS, "--out", str(tmp_path))
    assert code == 0
    assert "SQNR" in out
    assert (tmp_path / "inspection.md").read_text(encoding="utf-8").splitlines()[0] in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", MODEL, "--epochs", "0"), "--epochs 0 must be between 1 and 10,000; for example 5."),
        (
            ("distill", MODEL, "--chain", "32,x"),
            "--chain '32,x' must be bit widths, such as 32,8,1.",
        ),
        (("run", "--technique", "fp32:w2"), "the technique fp32 takes no options"),
        (("run", "--technique", "pact:alpha=0"), "pact's alpha=0 is not a number of 0.001 or more."),
        (("export", MODEL), "Missing option '--out'"),
    ],
)
def test_a_refusal_is_one_sentence(command: Command, arguments: Any, sentence: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("bench: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_training_that_fails_is_a_row_and_the_exit_code(command: Command, failing: Failing, tmp_path: Path) -> None:
    failing(lambda order: order.technique == "bwn:w1a32")
    techniques = ("--technique", "bwn", "--technique", "fp32")
    code, out, _ = command("train", MODEL, *techniques, *OPTIONS, "--out", str(tmp_path))
    assert code == 1
    assert f"- `bwn:w1a32`, seed 0: {FAILED}" in out.splitlines()
    failed, plain = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert TrainedModel.model_validate(failed).reason == str(FAILED)
    assert TrainedModel.model_validate(plain).accuracy is not None


def test_a_student_that_fails_is_the_exit_code(command: Command, failing: Failing, tmp_path: Path) -> None:
    failing(lambda order: order.technique == "dorefa:w2a2")
    arguments = ("distill", MODEL, "--chain", "32,2", "--seed", "0", "--source", "both", *OPTIONS)
    code, out, _ = command(*arguments, "--out", str(tmp_path))
    assert code == 1
    assert f"- 2 bits, alone, seed 0: {FAILED}" in out.splitlines()
    assert (tmp_path / "distillation.md").read_text(encoding="utf-8").splitlines()[0] in out


def test_an_export_whose_training_fails_is_a_sentence(command: Command, failing: Failing, tmp_path: Path) -> None:
    failing(lambda order: True)
    code, _, err = command("export", MODEL, *OPTIONS, "--out", str(tmp_path / "model.packed"))
    assert code == 2
    assert err.endswith(f"bench: {FAILED}\n")
