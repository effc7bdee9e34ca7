"""In which precision weights are trained, on a CPU with bfloat16 arithmetic, on one without, and when asked by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import RequestError
from bench.core.progress import Bars
from bench.results.isa import ISA_FLAGS, computes_bfloat16
from bench.results.machine import Machine
from bench.running import this_machine
from bench.running.training_precision import PrecisionPolicy, preferred_precision
from bench.running.weights import training_spec
from bench.storage import checkpoint
from bench.storage.checkpoint import DataIdentity, TrainingSpec
from bench.storage.checkpoint_store import SHIPPED, CheckpointStore
from bench.studies.train import train
from bench.tasks.dataset import DataKind
from bench.tasks.policy import TrainingPrecision
from bench.tasks.task import STANDIN_EPOCHS, TASKS
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import DatasetSummary

BFLOAT16 = ["AVX2", "AVX512F", "AVX512-BF16"]
AVX2 = ["AVX2", "FMA", "F16C"]
CIFAR10 = "a1b2c3d4e5f60718"
"""A fingerprint of data that nothing is shipped for."""


def summary(task: str, fingerprint: str = CIFAR10, kind: DataKind = "real") -> DatasetSummary:
    specs = {spec.name: spec for spec in TASKS.get(task).models}
    return DatasetSummary(task, Path(), DataIdentity(kind, fingerprint), 1, 1, {}, specs, {}, {}, {})


def planned(
    model: str,
    technique: str,
    policy: PrecisionPolicy,
    dataset: DatasetSummary | None = None,
    epochs: int | None = None,
) -> TrainingSpec:
    task, name = model.split("/")
    store = CheckpointStore.of_user()
    changes = {} if epochs is None else {"epochs": epochs}
    return training_spec(dataset or summary(task), name, TECHNIQUES.get(technique), 0, policy, store, changes)


WITH, WITHOUT = PrecisionPolicy("cpu", BFLOAT16), PrecisionPolicy("cpu", AVX2)


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16"])
def test_one_instruction_set_suffices(flag: str) -> None:
    assert computes_bfloat16([ISA_FLAGS[flag]])
    assert not computes_bfloat16([name for name in ISA_FLAGS.values() if "BF16" not in name])


@pytest.mark.parametrize(
    ("model", "technique", "with_bfloat16", "without"),
    [
        ("cifar10/resnet8", "fp32", "bfloat16", "float32"),
        ("cifar10/resnet8", "amp", "bfloat16", "float32"),
        ("mnist/lab1", "fp32", "float32", "float32"),
        ("mnist/lab1", "static-qint8", "float32", "float32"),
        ("mnist/lab1", "amp", "bfloat16", "float32"),
        ("mnist/lab1", "dorefa:w2a2", "bfloat16", "float32"),
        ("mnist/lab1", "range-linear:w4", "float32", "float32"),
    ],
)
def test_the_precision_follows_the_instruction_set(
    model: str, technique: str, with_bfloat16: str, without: str
) -> None:
    assert planned(model, technique, WITH).precision == with_bfloat16
    assert planned(model, technique, WITHOUT).precision == without


@pytest.mark.parametrize(("technique", "precision"), [("fp32", "bfloat16"), ("amp", "float16"), ("bwn", "bfloat16")])
def test_on_cuda_the_cpus_instruction_sets_do_not_matter(technique: str, precision: str) -> None:
    assert planned("cifar10/resnet8", technique, PrecisionPolicy("cuda", AVX2)).precision == precision


@pytest.mark.parametrize(
    ("preferred", "asked", "expected"),
    [
        ("bfloat16", "bfloat16", "bfloat16"),
        ("bfloat16", "float32", "float32"),
        ("float32", "bfloat16", "float32"),
        ("float32", "float32", "float32"),
    ],
)
def test_a_precision_asked_for_by_name_is_trained_on_any_cpu(
    preferred: Any, asked: TrainingPrecision, expected: str
) -> None:
    assert {PrecisionPolicy("cpu", isa, asked).precision(preferred) for isa in (BFLOAT16, AVX2)} == {expected}


def test_where_it_deviates_the_row_says_so() -> None:
    technique, spec = TECHNIQUES.get("amp"), TASKS.get("mnist").models[0]
    preferred = preferred_precision(technique, spec, "cpu")
    by_name = PrecisionPolicy("cpu", BFLOAT16, "float32")
    store = CheckpointStore.of_user()
    [note] = WITHOUT.notes(preferred, planned("mnist/lab1", "amp", WITHOUT), store)
    assert "trained in float32" in note
    assert "no bfloat16 arithmetic" in note
    [asked] = by_name.notes(preferred, planned("mnist/lab1", "amp", by_name), store)
    assert "--training-precision float32" in asked
    assert WITH.notes(preferred, planned("mnist/lab1", "amp", WITH), store) == []


def test_amp_without_bfloat16_arithmetic_shares_the_float32_training() -> None:
    assert planned("mnist/lab1", "amp", WITHOUT) == planned("mnist/lab1", "fp32", WITHOUT)


# A stand-in


def test_a_stand_in_takes_a_few_epochs_and_its_recipe_says_so() -> None:
    synthetic = summary("cifar10", kind="synthetic")
    real, standin = (planned("cifar10/resnet8", "fp32", WITH, data) for data in (summary("cifar10"), synthetic))
    assert (real.recipe["epochs"], standin.recipe["epochs"]) == (20, STANDIN_EPOCHS)
    assert real.recipe_hash != standin.recipe_hash
    assert planned("cifar10/resnet8", "fp32", WITH, synthetic, epochs=9).recipe["epochs"] == 9
    assert planned("mnist/lab1", "fp32", WITH, summary("mnist", kind="synthetic")).recipe["epochs"] == 2


# The whole way


QUICK: dict[str, Any] = {"data": "synthetic", "progress": False, "epochs": 1}


@pytest.fixture
def avx2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    describe = this_machine.describe

    def described(bars: Bars) -> Machine:
        return describe(bars).model_copy(update={"isa": AVX2})

    monkeypatch.setattr(this_machine, "describe", described)
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path))


@pytest.mark.usefixtures("avx2")
def test_a_run_without_bfloat16_arithmetic() -> None:
    done = bench.run(models="mnist/lab1", techniques="amp", batch_sizes=2, runs=1, precision=0.9, **QUICK)
    fp32, amp = done.rows
    assert [training.precision for training in done.trainings] == ["float32"]
    assert any("trained in float32" in note for note in amp.notes)
    assert any("not trained under autocast" in note for note in amp.notes)
    assert not any("trained in" in note for note in fp32.notes)
    assert amp.dtype == "bfloat16"


@pytest.mark.usefixtures("avx2")
def test_a_training_without_bfloat16_arithmetic() -> None:
    assert [each.precision for each in train("mnist/lab1", ["bwn"], **QUICK)] == ["float32"]
    [asked] = train("mnist/lab1", ["bwn"], training_precision="bfloat16", retrain=True, **QUICK)
    assert asked.precision == checkpoint.read_header(asked.checkpoint).precision == "bfloat16"


def test_a_precision_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(RequestError, match="--training-precision int8 must be auto, float32 or bfloat16"):
        train("mnist/lab1", training_precision="int8", **QUICK)  # type: ignore[arg-type]


# What comes with the package

REAL_CIFAR10 = "84a8921534ec82c7"


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path))
    return tmp_path


def resnet8(policy: PrecisionPolicy, technique: str = "fp32", epochs: int | None = None) -> TrainingSpec:
    return planned("cifar10/resnet8", technique, policy, summary("cifar10", REAL_CIFAR10), epochs)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("policy", [WITH, WITHOUT])
@pytest.mark.parametrize("technique", ["fp32", "amp", "static-qint8"])
def test_the_shipped_resnet8_is_found_on_every_cpu(policy: PrecisionPolicy, technique: str) -> None:
    store, training = CheckpointStore.of_user(), resnet8(policy, technique)
    header = store.get(training)
    assert header is not None
    assert header.recipe_hash == training.recipe_hash == "4d249d3e965c"
    assert store.source(training).parent == SHIPPED
    [note] = policy.notes("bfloat16", training, store)
    assert "come with quantbench" in note
    assert "bfloat16" in note


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    "training",
    [
        lambda: resnet8(replace(WITHOUT, retrain=True)),
        lambda: resnet8(replace(WITHOUT, asked="float32")),
        lambda: resnet8(WITHOUT, epochs=3),
        lambda: resnet8(WITHOUT, "dorefa:w2a2"),
    ],
)
def test_the_shipped_weights_are_not_taken_for_others(training: Callable[[], TrainingSpec]) -> None:
    assert training().precision == "float32"
    assert CheckpointStore.of_user().get(training()) is None


@pytest.mark.usefixtures("empty_cache")
def test_other_data_are_trained_on() -> None:
    assert CheckpointStore.of_user().get(planned("cifar10/resnet8", "fp32", WITH)) is None


def test_weights_of_the_cache_come_first(empty_cache: Path) -> None:
    store = CheckpointStore(empty_cache)
    shipped, trained_here = resnet8(WITHOUT), resnet8(replace(WITHOUT, retrain=True))
    for training in (shipped, trained_here):
        store.path(training).touch()
        assert store.source(training) == store.path(training)
    assert WITHOUT.training(shipped, store) == trained_here


def test_every_shipped_checkpoint_is_whole_and_is_told_of() -> None:
    names = {path.name for path in SHIPPED.iterdir()}
    told_of = (SHIPPED / "README.md").read_text(encoding="utf-8")
    checkpoints = sorted(name for name in names if name.endswith(".safetensors"))
    assert names == {"README.md", "training.json", *checkpoints}
    for name in checkpoints:
        _, header = checkpoint.load(SHIPPED / name)
        assert header.file_name == name
        assert f"`{name}`" in told_of


def test_the_identity_of_a_committed_training_is_as_it_was() -> None:
    [path] = (Path(__file__).parents[3] / "reports/resnet20").glob("*.safetensors")
    training = planned("cifar10/resnet20", "fp32", WITH, summary("cifar10", REAL_CIFAR10), epochs=60)
    assert training.file_name == path.name
    assert checkpoint.read_header(path, training).recipe_hash == training.recipe_hash
