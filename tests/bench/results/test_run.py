from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.core.errors import RequestError, RunFileError
from bench.results import run_file
from bench.results.row import Accuracy
from bench.results.run import SCHEMA_VERSION, ReferenceLatency, Run
from tests.bench.examples import FP32, RUN, SETTINGS, latency
from tests.bench.notebook import shown


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    assert run_file.load(tmp_path / "run.json") == RUN


def test_the_file_has_what_others_build_on(tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["schema_version"] == SCHEMA_VERSION == 6
    assert {"machine", "settings", "rows"} <= content.keys()
    row = content["rows"][1]
    assert row["status"] == "noisy"
    assert row["runtime"] == "eager"
    assert (row["packed_bytes"], row["bytes_by_dtype"]) == (814_520, {"float16": 814_100})
    assert (row["macs"], row["peak_memory_bytes"]) == (406_528, 1_490_944)
    assert row["agreement"] == {"same": 10_000, "lost": 0, "gained": 0, "p_value": 1.0}
    assert row["speedup"]["64"].keys() == {
        "value",
        "low",
        "high",
        "confidence",
        "p_value",
        "n",
        "retired",
    }
    timed = row["latency"]["64"]
    assert len(timed["rounds"]) == len(timed["rounds_s"]) == len(timed["processes"]) == 10
    assert len(timed["runs_s"]) == content["settings"]["runs"]
    assert len(timed["repeated_s"]) == 6
    assert (timed["disturbed"], timed["causes"]) == ([4, 7], {"steal": 7, "switch": 1})
    assert timed["estimate_s"] == pytest.approx(577e-6, rel=0.02)


def test_what_was_not_measured_is_none_and_never_zero(tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    row = json.loads((tmp_path / "run.json").read_text())["rows"][3]
    assert row["status"] == "unsupported"
    for name in ("size_bytes", "packed_bytes", "params", "macs", "peak_memory_bytes", "accuracy", "agreement"):
        assert row[name] is None


def test_references_survive_the_file(tmp_path: Path) -> None:
    beside = ReferenceLatency(model="mnist/lab1", latency={1: latency(1e-4), 64: latency(1e-3)})
    run = RUN.model_copy(update={"references": [beside]})
    run_file.save(run, tmp_path / "run.json")
    assert run_file.load(tmp_path / "run.json") == run


def test_writing_leaves_no_other_file(tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    run_file.save(RUN, tmp_path / "run.json")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"cannot be written .*--out"):
        run_file.save(RUN, tmp_path / "file" / "run.json")


def change(**changes: object) -> str:
    return json.dumps(json.loads(RUN.model_dump_json()) | changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a run file, or a truncated one"),
        (RUN.model_dump_json()[:500], "not a run file, or a truncated one"),
        ("[1, 2]", "it has no schema_version"),
        ('{"benchmarks": []}', "it has no schema_version"),
        ("[" * 200_000, "not a run file, or a truncated one"),
        ('{"schema_version": 1, "layers": []}', r"is a study .*; its page lies beside it, run\.md\.$"),
        (change(schema_version=1), "has schema version 1 and this quantbench reads 2 to 6; render it"),
        (change(schema_version=7), r"has schema version 7, newer than the 6 that .* reads; update quantbench\.$"),
        (change(surprise=1, quantbench="9.9.9", rows=3), r"quantbench 9\.9\.9 and has .* know, surprise; update"),
        (change(rows=[{"surprise": 1}]), r"does not know, rows\.0\.surprise; update quantbench\.$"),
        (change(rows=[{"task": "mnist"}]), r"rows\.0\.model: Field required"),
    ],
)
def test_a_file_that_is_no_run_is_a_sentence(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(RunFileError, match=message) as refusal:
        run_file.load(path)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="cannot be read"):
        run_file.load(tmp_path / "none.json")


def test_a_folder_is_a_sentence_that_names_the_file_in_it(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"is a folder; name the file in it, such as .*run\.json\.$"):
        run_file.load(tmp_path)


def test_records_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        RUN.finished = False


def test_rows_of_a_task_keep_their_order() -> None:
    assert [row.technique for row in RUN.rows_of("mnist")] == SETTINGS.techniques
    assert RUN.rows_of("sst2") == []


def test_a_run_renders_itself_in_a_notebook() -> None:
    assert isinstance(RUN, Run)
    assert "| lab1    | --" in shown(RUN)


def test_which_answers_are_right_goes_through_a_file(tmp_path: Path) -> None:
    rows = [FP32.model_copy(update={"accuracy": Accuracy(correct=3, total=10), "right": b"\xc0\x40"})]
    run_file.save(RUN.model_copy(update={"rows": rows}), tmp_path / "run.json")
    assert '"right": "wEA="' in (tmp_path / "run.json").read_text()
    assert run_file.load(tmp_path / "run.json").rows[0].right == b"\xc0\x40"


@pytest.mark.parametrize("right", ["wEE=", "wA==", "wEAA", "?", 7])
def test_answers_that_are_not_as_many_as_counted_are_refused(right: object, tmp_path: Path) -> None:
    rows = [FP32.model_copy(update={"accuracy": Accuracy(correct=3, total=10), "right": b"\xc0\x40"})]
    content = json.loads(RUN.model_copy(update={"rows": rows}).model_dump_json())
    content["rows"][0]["right"] = right
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(RunFileError, match="is not a valid run file: rows"):
        run_file.load(tmp_path / "run.json")
