"""What a stranger's run file is refused for, and what of it does not reach a reader; tests/faults fuzzes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bench.core.errors import RunFileError
from bench.report.formats import report
from bench.results.run_file import load
from tests.bench.examples import RUN


def changed(place: str, value: object) -> str:
    """The example run with another value at a place such as ``rows.1.latency.64.rounds_s.0``."""
    content = json.loads(RUN.model_dump_json())
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    holder: Any = content
    for part in path:
        holder = holder[part if isinstance(holder, list) else str(part)]
    holder[last if isinstance(holder, list) else str(last)] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("place", "value", "found"),
    [
        ("data.0.train_examples", None, "data.0: real data without their numbers of examples"),
        ("rows.1.latency.64.rounds_s.0", 1e308, "should be less than or equal to 1000000000, not 1e+308"),
        ("rows.1.latency.64.rounds_s.0", 0, "greater than or equal to"),
        ("rows.1.latency.64.rounds_s.0", float("nan"), "not nan"),
        ("rows.1.latency.64.rounds", [0, 1], "2 numbers of rounds, 10 times and 10 processes"),
        ("rows.1.latency.64.rounds_s", [], "10 numbers of rounds, 0 times and 10 processes"),
        ("rows.1.latency.2", {}, "rows.1.latency.2.estimate_s: Field required"),
        ("rows.1.speedup.64.low", 2.0, "is not between 2.0 and"),
        ("rows.1.speedup.64.p_value", float("inf"), "p_value"),
        ("rows.1.agreement.lost", 10_001, "agreement counts 10001 answers, accuracy 10000"),
        ("rows.1.accuracy", None, "agreement without accuracy"),
        ("rows.1.accuracy.correct", 10_001, "10001 right answers of 10000"),
        ("rows.1.layers.changed", 3, "3 changed of 2"),
        ("rows.1.size_bytes", 10**400, "rows.1.size_bytes"),
        ("rows.1.packed_bytes", 0, "greater than 0"),
        ("rows.1.task", "sst2", "rows: of sst2, which data does not have"),
        ("rows.1.technique", "fp32", "there are two of mnist/lab1 as fp32"),
        ("settings.batch_sizes", [], "at least 1 item"),
        ("settings.batch_sizes", [1], "batch 64, which settings.batch_sizes does not have"),
        ("settings.seed", -1, "settings.seed"),
        ("trainings.0.recipe.epochs", 10**400, "trainings.0.recipe.epochs"),
        ("machine.cpu", "x" * 1_000_000, "at most 5000 characters"),
        ("machine.cpu", "\ud800", "machine.cpu"),
    ],
)
def test_what_no_measurement_gives_is_refused_by_its_place(
    place: str, value: object, found: str, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text(changed(place, value))
    with pytest.raises(RunFileError, match="is not a valid run file") as refusal:
        load(tmp_path / "run.json")
    assert found in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(RunFileError, match="is longer than 32 MiB"):
        load(Path("/dev/zero"))


def test_what_moves_a_cursor_does_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(changed("rows.3.reason", "\x1b[2J gone\x07"))
    text = report([tmp_path / "run.json"])
    assert "\x1b" not in text
    assert "\ufffd[2J gone\ufffd" in text


@pytest.mark.parametrize("character", ["\u202a", "\u202e", "\u2066", "\u2069"])
def test_what_turns_the_order_of_figures_around_does_not_reach_a_reader(character: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(changed("rows.3.reason", f"{character}21 ×"))
    text = report([tmp_path / "run.json"])
    assert character not in text
    assert "\ufffd21 ×" in text


@pytest.mark.parametrize("part", ["rows", "trainings", "data", "references"])
def test_of_thousands_of_faults_the_first_is_looked_for(part: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(changed(part, [{}] * 10_000))
    with pytest.raises(RunFileError, match=rf"{part}\.0\.") as refusal:
        load(tmp_path / "run.json")
    assert isinstance(refusal.value.__cause__, ValidationError)
    assert refusal.value.__cause__.error_count() < 20


@pytest.mark.parametrize("schema", [2, 5])
@pytest.mark.parametrize(
    ("place", "keys", "message"),
    [
        ("rows.1.latency", 10_000, "10,000 keys, of which there may be 32"),
        ("rows.1.speedup", 33, "33 keys, of which there may be 32"),
        ("rows.1.scores", 10_000, "10,000 keys, of which there may be 100"),
        ("rows.1.accuracy", 10_000, "10,000 keys, of which there may be 200"),
        ("trainings.0.recipe", 10_000, "10,000 keys, of which there may be 1,000"),
    ],
)
def test_a_crowd_of_keys_is_one_fault(place: str, keys: int, message: str, schema: int, tmp_path: Path) -> None:
    content = json.loads(changed(place, {str(number): {} for number in range(1, keys + 1)}))
    (tmp_path / "run.json").write_text(json.dumps(content | {"schema_version": schema}))
    with pytest.raises(RunFileError, match=f"{place}: {message}"):
        load(tmp_path / "run.json")


def test_what_would_be_a_gigabyte_when_parsed_is_refused_before(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema_version": 6, "rows": [' + "[], " * 2**20 + "[]]}")
    with pytest.raises(RunFileError, match="holds more than 1,048,576 lists and objects"):
        load(tmp_path / "run.json")


def test_a_model_with_a_long_name_has_its_pictures(tmp_path: Path) -> None:
    content = json.loads(RUN.model_dump_json())
    for row in content["rows"]:
        row["model"] = "模" * 2_000
    (tmp_path / "run.json").write_text(json.dumps(content))
    text = report([tmp_path / "run.json"], out=tmp_path / "report.md")
    pictures = list(tmp_path.glob("*.svg"))
    assert len(pictures) == 3
    assert all(f"({picture.name})" in text for picture in pictures)
