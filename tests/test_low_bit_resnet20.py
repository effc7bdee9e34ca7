"""The page about ResNet-20 at low bits is made of the records that are committed beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.storage import checkpoint
from bench.studies.train import TrainedModel
from tests.benchmarks.low_bit_resnet20 import FLOAT, PLAN, REPORTS, render

FOLDER = REPORTS / "lowbit-resnet20"
RECORDS = sorted(FOLDER.glob("*.json"))


def test_the_page_is_what_the_records_say() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == render(FOLDER) + "\n"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_each_record_has_its_checkpoint_and_the_one_it_started_from(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    trained = TrainedModel.model_validate(record["trained"])
    header = checkpoint.read_header(FOLDER / trained.checkpoint)
    assert (header.recipe, header.seed) == (trained.recipe, trained.seed)
    assert header.distillation_spec is not None
    assert header.distillation_spec.teacher == trained.start
    assert (FLOAT / record["start"]).exists() or (FOLDER / record["start"]).exists()


def test_a_training_starts_from_one_before_it() -> None:
    for position, planned in enumerate(PLAN):
        assert not planned.start or planned.start in {before.technique for before in PLAN[:position]}
