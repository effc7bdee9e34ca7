"""The page about ResNet-20 at low bits is made of the records that are committed beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.options.studies import TrainOptions
from bench.running.training_precision import PrecisionPolicy
from bench.running.weights import training_spec
from bench.storage import checkpoint
from bench.storage.checkpoint import DataIdentity, DistillationSpec, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.storage.given_checkpoint import adopt
from bench.studies.train import TrainedModel
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import DatasetSummary
from tests.benchmarks.low_bit_plan import PLAN, RANDOM
from tests.benchmarks.low_bit_resnet20 import FLOAT, MODEL, POINTS, REPORTS, evenly, render

FOLDER = REPORTS / "lowbit-resnet20"
RECORDS = sorted(FOLDER.glob("*.json"))


def test_the_page_is_what_the_records_say() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == render(FOLDER) + "\n"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_each_record_started_from_weights_of_record_and_has_its_checkpoint_if_it_is_needed(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    of_records = [json.loads(other.read_text(encoding="utf-8"))["trained"]["checkpoint"] for other in RECORDS]
    assert record["start"] in [RANDOM, *of_records] or (FLOAT / record["start"]).exists()
    trained = TrainedModel.model_validate(record["trained"])
    [planned] = [planned for planned in PLAN if planned.name == path.stem]
    assert (FOLDER / trained.checkpoint).exists() == planned.is_needed(FOLDER)
    if planned.is_needed(FOLDER):
        header = checkpoint.read_header(FOLDER / trained.checkpoint)
        assert (header.recipe, header.seed) == (trained.recipe, trained.seed)
        assert header.distillation_spec is not None
        assert header.distillation_spec.teacher == trained.start


def test_a_training_has_the_name_of_those_begun_before(tmp_path: Path) -> None:
    [path] = FLOAT.glob("*.safetensors")
    header = checkpoint.read_header(path)
    store = CheckpointStore(tmp_path)
    spec = next(spec for spec in TASKS.get("cifar10").models if spec.name == "resnet20")
    identity = DataIdentity(header.data_kind, header.data_fingerprint)
    cifar10 = DatasetSummary("cifar10", Path(), identity, 1, 1, {}, {spec.name: spec}, {}, {}, {})
    planned = PLAN[0]
    options = TrainOptions(MODEL, [planned.technique], epochs=planned.epochs, recipe=planned.recipe)

    def training(start: DistillationSpec | None) -> TrainingSpec:
        technique = TECHNIQUES.get(planned.technique)
        policy = PrecisionPolicy("cpu", ["AVX512-BF16"])
        return training_spec(cifar10, spec.name, technique, 0, policy, store, options.recipe_changes(), start)

    start = adopt(path, "start", training(None), store, weights=True)
    assert start.checkpoint == "teacher-23038a035b29.safetensors"
    named = training(DistillationSpec(teacher=start.checkpoint, weight=0.0, temperature=1.0, initialise=True))
    assert named.name == "cifar10-resnet20-pact-w4a4-alpha-3-bfloat16-real-seed0-f0fbdbee9f2e"


def test_a_training_starts_from_one_before_it() -> None:
    for position, planned in enumerate(PLAN):
        assert planned.start in {"", RANDOM, *(before.key for before in PLAN[:position])}


def test_no_two_trainings_have_the_same_files() -> None:
    assert len({planned.name for planned in PLAN}) == len(PLAN)


def test_the_chain_has_a_control_of_equal_epochs() -> None:
    by_key = {planned.key: planned for planned in PLAN}
    chain = by_key["chain-2bit"].epochs + by_key["chain-1bit"].epochs
    assert {by_key[key].epochs for key in ("float-1bit", "one-step-1bit")} == {chain}
    assert by_key["untaught-2bit"].epochs + by_key["untaught-1bit"].epochs == chain
    assert not any(by_key[key].teacher_weight for key in ("float-1bit", "untaught-2bit", "untaught-1bit"))


@pytest.mark.parametrize("kept", [0, 1, POINTS, POINTS + 1, 8 * POINTS - 3])
def test_a_curve_has_some_points_in_their_order_and_the_last_one(kept: int) -> None:
    points = [epoch for epoch, _ in evenly({epoch: Path(str(epoch)) for epoch in range(1, kept + 1)})]
    assert points == sorted(points)
    assert min(kept, POINTS // 2) <= len(points) <= POINTS
    assert points[-1:] == [kept][:kept]
