"""What a report, the command and a notebook say of a recommendation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.report import markdown, page
from bench.report.command import EXPORT_OPTIONS, export_command
from bench.report.recommendation import recommend, render
from bench.results import run_file
from bench.results.recommendation import Constraints
from bench.results.row import Row
from bench.results.run import Run
from tests.bench.comparing.variants import FLOAT, run_of, variant
from tests.bench.conftest import Command
from tests.bench.examples import DATA, RUN

ORT = variant("static-qint8@onnxruntime", times_faster=3, lost=9, gained=8)
OWN = DATA.model_copy(update={"task": "net", "kind": "own", "title": "net.py"})


def text(*rows: Row, **constraints: Any) -> str:
    return render(recommend(run_of(*rows), Constraints(**constraints)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run_file.save(run_of(ORT), tmp_path / "run.json")
    return tmp_path


def test_the_sentence_names_variant_gain_and_loss_with_their_intervals() -> None:
    [sentence, *_] = text(ORT, variant("bf16", status="failed", reason="it died")).splitlines()
    assert "`mnist/lab1`: **deploy `static-qint8` on onnxruntime**" in sentence
    assert "3.00× [2.98, 3.02] faster" in sentence
    assert "4.00× smaller (0.400 MB)" in sentence
    assert "accuracy −0.01 points [−0.10, +0.08] on 10,000 examples" in sentence
    assert "no more than 0.5 points" in sentence


def test_what_was_left_out_stands_below_with_its_reason_once() -> None:
    died = [variant(name, status="failed", reason="it died") for name in ("bf16", "fp16")]
    assert "left out: `bf16`, `fp16`: failed: it died" in text(ORT, *died)


def test_if_fp32_is_kept_what_may_yet_be_better_is_counted() -> None:
    noisy = variant("bf16", spread=0.5, status="noisy", reason="vague")
    [sentence, *_] = text(noisy, variant("fp16", lost=45, gained=10)).splitlines()
    assert "keep `fp32` on eager" in sentence
    assert "1 variant too noisy to tell and 1 variant not decided by this test set" in sentence


def test_if_nothing_keeps_to_the_limits_they_are_named() -> None:
    said = text(ORT, max_size_bytes=1_000, max_latency_s=1e-6)
    assert "nothing to recommend" in said
    assert "0.5 points and 0.001 MB and 1.00 µs at batch 1" in said


def test_an_accuracy_that_was_not_judged_is_said_to_be_so() -> None:
    unknown: dict[str, Any] = {"accuracy": None, "agreement": None}
    row = variant("bf16", **unknown, output_error=0.0123)
    run = run_of().model_copy(update={"rows": [FLOAT.model_copy(update=unknown), row]})
    said = render(recommend(run, Constraints()))
    assert "its accuracy was not judged, and its outputs are 1.23 % off fp32's" in said


def test_every_report_has_the_chapter_and_its_command() -> None:
    run = run_of(ORT)
    command = "bench export mnist/lab1 --technique static-qint8 --runtime onnxruntime"
    for rendered in (markdown.render([run], pictures=False), page.render([run])):
        assert "Recommendation" in rendered
        assert command in rendered
    alone = markdown.render([run_of()], pictures=False)
    assert "## Recommendation" not in alone, "there is nothing to choose from"


def test_a_run_whose_rounds_are_not_paired_has_no_chapter() -> None:
    run = RUN.model_copy(update={"timed_by": "pytest-benchmark"})
    assert "## Recommendation" not in markdown.render([run], pictures=False)


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, ""),
        ({"threads": 2, "seed": 3, "engine": "fbgemm"}, " --threads 2 --engine fbgemm --seed 3"),
        ({"data": "synthetic", "batch_sizes": [8]}, " --data synthetic"),
    ],
)
def test_the_export_is_of_the_weights_that_were_measured(settings: dict[str, Any], options: str) -> None:
    run = run_of(ORT)
    run = run.model_copy(update={"settings": run.settings.model_copy(update=settings)})
    command = export_command(run, ORT).split(" --runtime onnxruntime")[1]
    assert sorted(command.partition(" --out ")[0].split(" --")) == sorted(options.split(" --"))
    assert command.endswith("--out deploy/mnist-lab1-static-qint8-onnxruntime")


def test_what_decides_a_file_is_an_option_of_the_export() -> None:
    recorded = {"seed", "epochs", "data", "threads", "engine", "training_precision", "training_device", "inputs"}
    assert recorded < EXPORT_OPTIONS.keys()


def own(**settings: Any) -> Run:
    run = run_of().model_copy(update={"data": [DATA, OWN]})
    return run.model_copy(update={"settings": run.settings.model_copy(update=settings)})


def test_a_model_of_ones_own_is_exported_by_its_files() -> None:
    row = ORT.model_copy(update={"task": "net", "model": "build"})
    command = export_command(own(inputs="net.py:inputs", calibrate="net.py:batches", batch_sizes=[8]), row)
    assert command.startswith("bench export net.py:build --technique static-qint8 --runtime onnxruntime")
    assert "--inputs net.py:inputs" in command
    assert "--batch 8" in command, "it may be what ranges are observed on"
    assert export_command(own(inputs="example_inputs"), row) == "", "no command has the module"


def test_the_command_prints_or_writes_and_takes_a_folder(command: Command, folder: Path) -> None:
    code, out, _ = command("recommend", str(folder), "--max-size", "1MB", "--max-drop", "0.5pp")
    assert code == 0
    assert "deploy `static-qint8` on onnxruntime" in out
    code, _, _ = command("recommend", str(folder / "run.json"), "--out", str(folder / "made.json"))
    made = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    assert code == 0
    assert made["models"][0]["best"]["variant"] == "static-qint8@onnxruntime"
    assert made["models"][0]["command"].startswith("bench export")
    assert command("recommend", str(folder), "--out", str(folder / "made.md"))[0] == 0
    assert "deploy" in (folder / "made.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-drop", "0.5"], "must be in percentage points, such as 0.5pp"),
        (["--max-drop", "-1pp"], "--max-drop -1pp must be 0pp or more"),
        (["--max-size", "1"], "must be a size, such as 1MB or 400kB"),
        (["--max-size", "infMB"], "must be a size, such as 1MB or 400kB"),
        (["--max-size", "0MB"], "must be more than nothing; for example 1MB"),
        (["--max-latency", "fast"], "must be a time, such as 200us or 1.5ms"),
        (["--max-latency", "0s"], "must be a positive number of seconds"),
        (["--batch", "32"], "--batch 32 was not timed in this run; choose 1 or 64"),
        (["--batch", "0"], "--batch 0 must be between 1"),
        (["--model", "lab9"], "choose from mnist/lab1"),
        (["--out", "made.csv"], "is neither .md nor .json"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(command: Command, folder: Path, arguments: list[str], message: str) -> None:
    code, _, err = command("recommend", str(folder), *arguments)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("name", ["absent.json", "empty", "other.json"])
def test_what_is_no_run_is_a_sentence(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    code, _, err = command("recommend", str(tmp_path / name))
    assert code == 2
    assert "run.json" in err


def test_the_library_takes_a_run_and_a_notebook_shows_the_sentences() -> None:
    made = bench.recommend(run_of(ORT), max_drop_pp=0.5, objective="size")
    assert made.models[0].best is not None
    assert str(made.models[0].best.variant) == "static-qint8@onnxruntime"
    shown: Any = made
    assert "deploy" in shown._repr_markdown_()
