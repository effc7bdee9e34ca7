"""Run files of older schemas: read under today's definition, or refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import RunFileError
from bench.core.variant_key import BASELINE
from bench.results import run_file
from bench.results.run import SCHEMA_VERSION, Run
from tests.bench.examples import RUN, latency
from tests.repository import ROOT

COMMITTED = sorted((ROOT / "reports").glob("*/run.json"))
RATIO = {"value": 1.0, "low": 0.9, "high": 1.1, "confidence": 0.95, "p_value": 0.5, "n": 10}


def of_version(version: int, starts: list[int] | None = None) -> dict[str, Any]:
    """Return the content of a run file as an older quantbench wrote it, its processes from the rounds ``starts``."""
    content: dict[str, Any] = json.loads(RUN.model_dump_json()) | {"schema_version": version}
    del content["references"]
    for row in content["rows"]:
        for speedup in row["speedup"].values():
            del speedup["retired"]
        row["latency"] = {size: older(values, version, starts) for size, values in row["latency"].items()}
        if version > 2:
            row["pace" if version == 3 else "relative_latency"] = {size: dict(RATIO) for size in row["latency"]}
    if version > 2:
        beside = older(latency(1e-4).model_dump(mode="json"), version, starts)
        name = "yardsticks" if version == 3 else "references"
        content[name] = [{"model": "mnist/lab1", "latency": {"1": beside}}]
    return content


def older(values: dict[str, Any], version: int, starts: list[int] | None) -> dict[str, Any]:
    """Return a latency as older files have it."""
    kept = {key: value for key, value in values.items() if key not in ("estimate_s", "processes", "cold")}
    kept["warm"] = not values["cold"]
    return kept | ({"starts": starts or [0]} if version > 2 else {})


def loaded(content: dict[str, Any], folder: Path) -> Run:
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    return run_file.load(folder / "run.json")


def require_one_definition(run: Run) -> None:
    """Check that the ratio of two latencies is the speed-up, and that it is within its interval."""
    for row in run.rows:
        for size, speedup in row.speedup.items():
            [fp32] = [other for other in run.rows if (other.full_model, other.key) == (row.full_model, BASELINE)]
            ratio = fp32.latency[size].estimate_s / row.latency[size].estimate_s
            assert ratio == pytest.approx(speedup.value)
            assert speedup.low <= speedup.value <= speedup.high


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_run_of_one_process_has_speedups_without_intervals(version: int, tmp_path: Path) -> None:
    run = loaded(of_version(version), tmp_path)
    assert run.schema_version == SCHEMA_VERSION
    require_one_definition(run)
    int8 = run.rows[2]
    assert (int8.speedup[64].confidence, int8.speedup[64].n, int8.speedup[64].p_value) == (0.0, 1, 1.0)
    assert int8.speedup[64].value == pytest.approx(3.0)
    assert set(int8.latency[64].processes) == {0}
    assert int8.latency[64].rounds_s == RUN.rows[2].latency[64].rounds_s
    assert run.rows[0].latency[1].estimate_s == pytest.approx(50e-6)
    assert [entry.model for entry in run.references] == ([] if version == 2 else ["mnist/lab1"])


def test_the_starts_of_processes_become_their_numbers(tmp_path: Path) -> None:
    run = loaded(of_version(4, starts=[0, 3, 8]), tmp_path)
    require_one_definition(run)
    assert run.rows[2].latency[1].processes == [0] * 3 + [1] * 5 + [2] * 2
    assert run.rows[2].speedup[1].n == 3
    assert run.references[0].latency[1].processes == [0] * 3 + [1] * 5 + [2] * 2


def test_eight_processes_have_an_interval(tmp_path: Path) -> None:
    run = loaded(of_version(4, starts=[0, 1, 2, 3, 4, 5, 6, 7]), tmp_path)
    assert (run.rows[2].speedup[1].n, run.rows[2].speedup[1].confidence) == (8, 0.99)


def test_intervals_of_95_percent_are_made_anew(tmp_path: Path) -> None:
    """Of version 5, whose rounds are those of today; what was timed no more stays so."""
    content = json.loads(RUN.model_dump_json()) | {"schema_version": 5}
    for speedup in content["rows"][2]["speedup"].values():
        speedup |= {"confidence": 0.95, "retired": True}
    run = loaded(content, tmp_path)
    require_one_definition(run)
    assert [(speedup.confidence, speedup.retired) for speedup in run.rows[2].speedup.values()] == [(0.99, True)] * 2
    assert run.rows[2].latency == {
        size: values.model_copy(update={"estimate_s": run.rows[2].latency[size].estimate_s})
        for size, values in RUN.rows[2].latency.items()
    }


@pytest.mark.parametrize(("warm", "cold"), [(True, 0), (False, 1)])
def test_a_warm_up_that_did_not_settle_is_counted(warm: bool, cold: int, tmp_path: Path) -> None:
    content = of_version(4)
    content["rows"][0]["latency"]["1"]["warm"] = warm
    assert loaded(content, tmp_path).rows[0].latency[1].cold == cold


def test_rounds_that_were_not_kept_have_the_median_of_their_summary(tmp_path: Path) -> None:
    content = of_version(3)
    values = content["rows"][0]["latency"]["1"]
    summary = {"mean_s": 6e-5, "std_s": 1e-6, "median_s": 5e-5, "rounds": 100}
    values |= {"rounds": [], "rounds_s": [], "summary": summary}
    run = loaded(content, tmp_path)
    assert run.rows[0].latency[1].estimate_s == 5e-5


def test_a_loaded_run_is_saved_as_one_of_now(tmp_path: Path) -> None:
    run = loaded(of_version(3), tmp_path)
    run_file.save(run, tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["schema_version"] == SCHEMA_VERSION
    assert run_file.load(tmp_path / "again.json") == run


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_the_committed_runs_are_read(path: Path) -> None:
    run = run_file.load(path)
    assert run.rows
    require_one_definition(run)


def break_(*path: object, value: object) -> Callable[[dict[str, Any]], None]:
    """Return what puts ``value`` where ``path`` leads in a content."""

    def broken(content: Any) -> None:
        *way, last = path
        for step in way:
            content = content[step]
        content[last] = value

    return broken


@pytest.mark.parametrize(
    "damage",
    [
        break_("rows", value={}),
        break_("rows", value=[7]),
        break_("rows", 0, "latency", value=[]),
        break_("rows", 0, "latency", "1", value=None),
        break_("rows", 0, "latency", "1", value={}),
        break_("rows", 0, "latency", "1", "starts", value=["now"]),
        break_("rows", 0, "latency", "1", "starts", value=None),
        break_("rows", 0, "latency", "1", "rounds", value=[0, 1]),
        break_("rows", 0, "latency", "1", "rounds", value="abc"),
        break_("rows", 0, "latency", "1", "rounds_s", value=[0.0] * 10),
        break_("rows", 0, "latency", "1", "rounds_s", value=[-1.0] * 10),
        break_("rows", 0, "latency", "1", "rounds_s", value=["x"] * 10),
        break_("rows", 1, "speedup", value=[1, 2]),
        break_("rows", 0, "latency", "1", "summary", value={"mean_s": 1.0}),
        break_("yardsticks", value=7),
        break_("yardsticks", 0, value=None),
        break_("yardsticks", 0, "latency", value=3),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(damage: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    content = of_version(3)
    damage(content)
    with pytest.raises(RunFileError) as refusal:
        loaded(content, tmp_path)
    assert f"{tmp_path / 'run.json'} is not a valid run file: " in str(refusal.value), "no key is said to be too new"
    assert "\n" not in str(refusal.value)
