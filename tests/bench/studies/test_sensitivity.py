"""Which layers a technique hurts, and the smallest mixture within a loss: measured and reported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import RequestError, UnknownNameError
from bench.measuring import machine
from bench.options.studies import SensitivityOptions
from bench.report.sensitivity import render
from bench.report.sensitivity_picture import draw
from bench.results import run_file
from bench.results.sensitivity import Change, Sensitivity
from bench.running.studied_model import Weights, studied_model
from bench.studies.sensitivity.study import sensitivity
from bench.techniques.base import TECHNIQUES, Technique
from tests.bench.conftest import Command
from tests.bench.notebook import shown
from tests.bench.test_import_cost import modules_after

MODEL = "mnist/lab1"
QUICK: dict[str, Any] = {
    "data": "synthetic",
    "progress": False,
    "epochs": 1,
    "batch_sizes": [1],
    "runs": 1,
    "precision": 0.9,
}

# A study, the whole way on synthetic digits


def study(shared_cache: Path, **changes: Any) -> Sensitivity:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        return sensitivity(MODEL, **(QUICK | changes))


@pytest.fixture(scope="module")
def dynamic(shared_cache: Path) -> Sensitivity:
    return study(shared_cache, technique="dynamic-qint8", batch_sizes=[1, 64])


@pytest.fixture(scope="module")
def recommended(shared_cache: Path) -> Sensitivity:
    return study(shared_cache, technique=["range-linear:w2", "range-linear:w4", "range-linear:w8"], max_drop_pp=1.0)


def test_each_layer_is_quantized_alone_and_spared_alone(dynamic: Sensitivity) -> None:
    rows = {row.technique: row for row in dynamic.run.rows}
    # Of two layers, all but the one is only the other: four variants, not six.
    only_first, only_last = "mixed:layers.0=dynamic-qint8", "mixed:layers.2=dynamic-qint8"
    assert list(rows) == ["fp32", "dynamic-qint8", only_first, only_last]
    by_layer = {each.layer: each for each in dynamic.layers}
    assert (by_layer["layers.0"].only, by_layer["layers.0"].others) == (only_first, only_last)
    assert (by_layer["layers.2"].only, by_layer["layers.2"].others) == (only_last, only_first)
    changed = [row.layers.changed for row in rows.values() if row.layers is not None]
    assert changed == [0, 2, 1, 1]
    assert {each.kind for each in dynamic.layers} == {"Linear"}
    assert by_layer["layers.0"].weights == 784 * 512 + 512


def test_every_row_has_its_packed_file_verified_and_is_timed_in_the_same_rounds(dynamic: Sensitivity) -> None:
    sizes = [row.packed_bytes for row in dynamic.run.rows]
    assert all(sizes)
    whole, every, first, last = (size or 0 for size in sizes)
    assert whole - every == pytest.approx(whole - first + whole - last, rel=0.01), "what layers save adds up"
    for row in dynamic.run.rows:
        assert row.latency.keys() == {1, 64}
        assert set(dynamic.run.rows[0].latency[1].rounds) >= set(row.latency[1].rounds)
        assert (row.speedup.keys() == {1, 64}) == (row.technique != "fp32")


def test_changes_are_those_of_the_rows(dynamic: Sensitivity) -> None:
    rows = {row.technique: row for row in dynamic.run.rows}
    for each in dynamic.layers:
        agreement, accuracy = rows[each.only].agreement, rows[each.only].accuracy
        assert agreement is not None
        assert accuracy is not None
        assert each.only_change == Change.of(agreement.lost, agreement.gained, accuracy.total)


def test_a_study_is_read_back_as_it_was_written(recommended: Sensitivity) -> None:
    assert Sensitivity.model_validate_json(recommended.model_dump_json()) == recommended


def test_the_recommended_mixture_is_measured_beside_the_others(recommended: Sensitivity) -> None:
    found = recommended.recommendation
    assert found is not None
    names = [row.technique for row in found.run.rows]
    assert names[:4] == ["fp32", "range-linear:w2a32", "range-linear:w4a32", "range-linear:w8a32"]
    assert found.technique in names
    by_name = {row.technique: row for row in found.run.rows}
    mixture, narrow, wide = (by_name[name] for name in (found.technique, names[1], names[3]))
    assert mixture.packed_bytes is not None
    assert narrow.packed_bytes is not None
    assert wide.packed_bytes is not None
    assert narrow.packed_bytes <= mixture.packed_bytes + 200
    assert mixture.packed_bytes < wide.packed_bytes
    fitting = [each.packed_bytes for each in found.steps if each.fits]
    assert mixture.packed_bytes <= min(size for size in fitting if size is not None)
    assert set(found.layers) == {"layers.0", "layers.2"}
    assert TECHNIQUES.get(found.technique).name == found.technique


def test_a_mixture_fits_on_the_half_that_was_searched_and_is_judged_on_the_other(recommended: Sensitivity) -> None:
    found = recommended.recommendation
    assert found is not None
    assert found.held_back is not None
    assert (found.search.total, found.held_back.total) == (500, 500)
    assert found.search.value >= -0.01
    [row] = [row for row in found.run.rows if row.technique == found.technique]
    whole = Change.of_row(row)
    assert whole is not None
    assert found.search.lost + found.held_back.lost == whole.lost
    assert found.search.gained + found.held_back.gained == whole.gained
    fitting = [step for step in found.steps if step.fits]
    assert found.technique in {step.technique for step in fitting} | {row.technique for row in recommended.run.rows}
    for step in found.steps:
        assert step.change is not None
        assert step.fits == (step.change.value >= -0.01)


@pytest.mark.slow
def test_rows_that_were_measured_are_not_made_again(recommended: Sensitivity, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two layers and one technique every mixture is a row of the study; of two techniques some are not."""
    made: list[str] = []

    def evaluate(self: object, technique: Technique, *rest: object) -> Exception:
        made.append(technique.name)
        return RequestError("not made")

    monkeypatch.setattr("bench.running.studied_model.StudiedModel.evaluate", evaluate)
    found = sensitivity(MODEL, "range-linear:w2", max_drop_pp=99.0, **QUICK).recommendation
    assert found is not None
    assert (made, found.technique) == ([], "range-linear:w2a32")
    allowance = -100 * found.search.value - 0.1  # the narrowest everywhere just does not fit
    found = sensitivity(MODEL, ["range-linear:w2", "range-linear:w8"], max_drop_pp=allowance, **QUICK).recommendation
    assert found is not None
    assert made
    assert found.technique not in made, "what cannot be made is passed over"
    assert {step.technique for step in found.steps if step.change is None} == set(made)


def test_a_notebook_shows_it_without_the_picture(recommended: Sensitivity) -> None:
    assert shown(recommended) == render(recommended, picture=None)


def test_the_picture_names_every_layer_and_is_the_same_each_time(recommended: Sensitivity, tmp_path: Path) -> None:
    draw(recommended, tmp_path / "one.svg")
    draw(recommended, tmp_path / "two.svg")
    content = (tmp_path / "one.svg").read_bytes()
    assert content == (tmp_path / "two.svg").read_bytes()
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", content.decode())
    for each in ("layers.0", "layers.2"):
        assert texts.count(each) == 3, "a panel a technique"
    assert {"only this layer", "all but this layer", "all layers", *recommended.techniques} <= set(texts)


def test_a_failed_layer_is_drawn_as_a_gap(recommended: Sensitivity, tmp_path: Path) -> None:
    gaps = [layer.model_copy(update={"only_change": None, "others_change": None}) for layer in recommended.layers]
    draw(recommended.model_copy(update={"layers": [*gaps[:-1], recommended.layers[-1]]}), tmp_path / "gaps.svg")
    assert "layers.2" in (tmp_path / "gaps.svg").read_text(encoding="utf-8")
    draw(recommended.model_copy(update={"layers": gaps}), tmp_path / "nothing.svg")
    assert not (tmp_path / "nothing.svg").exists()


def test_the_report_needs_no_torch() -> None:
    assert "torch" not in modules_after("import bench.report.sensitivity")


# A run of a mixture


@pytest.mark.slow
def test_a_run_measures_a_mixture_like_any_technique() -> None:
    done = bench.run(models=[MODEL], techniques=["mixed:layers.2=dynamic-qint8"], **QUICK)
    fp32, mixture = done.rows
    assert (mixture.technique, mixture.scheme, mixture.dtype) == ("mixed:layers.2=dynamic-qint8", "MIX", "qint8")
    assert mixture.status in ("ok", "noisy")
    assert mixture.layers is not None
    assert mixture.layers.changed == 1
    assert mixture.packed_bytes is not None, "verified in a fresh process"
    assert fp32.packed_bytes is not None
    assert mixture.packed_bytes < fp32.packed_bytes
    assert "mixed: a technique for each layer" in shown(done)


@pytest.mark.slow
def test_a_layer_that_only_other_models_have_is_a_row_with_the_reason(tmp_path: Path) -> None:
    done = bench.run(
        models=["mnist/lab1", "mnist/lab2"], techniques=["mixed:layers.4=dynamic-qint8"], out=tmp_path, **QUICK
    )
    rows = {row.model: row for row in done.rows if row.technique != "fp32"}
    assert rows["lab1"].status == "unsupported"
    assert rows["lab1"].reason == "there is no layer 'layers.4'; did you mean 'layers.2'?"
    assert rows["lab2"].packed_bytes is not None
    assert run_file.load(tmp_path / "run.json") == done


@pytest.mark.slow
def test_an_exported_mixture_gives_the_logits_back(tmp_path: Path) -> None:
    import torch

    from bench.studies.export import export

    technique = "mixed:layers.0=range-linear:w3a8+layers.2=dynamic-qint8"
    export(MODEL, tmp_path / "m.packed", technique, epochs=1, data="synthetic", progress=False)
    loaded = bench.load_packed(tmp_path / "m.packed")
    assert loaded.origin.technique == technique
    assert loaded(torch.rand(3, 784)).shape == (3, 10)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("mnist/lab9", "there is no mnist model 'lab9'; did you mean 'lab"),
        ("lab1", "lab1 is a model of several tasks; choose mnist/lab1, sst2/lab1."),
        (f"{MODEL} --technique dynamic-int8", "there is no technique 'dynamic-int8'; did you mean 'dynamic-qint8'?"),
        (f"{MODEL} --technique fp32", "fp32 changes no layer; choose among dynamic-fp16, dynamic-qint8, range-linear"),
        (f"{MODEL} --technique dorefa:w2", "dorefa:w2a32 changes a model as a whole or takes part in its training"),
        (f"{MODEL} --technique amp", "amp changes a model as a whole"),
        (
            f"{MODEL} --technique mixed:layers.0=dynamic-qint8",
            "dynamic-qint8 changes a model as a whole",
        ),
        (f"{MODEL} --recommend --max-drop=", "--max-drop '' must be in percentage points, such as 0.5pp."),
        (f"{MODEL} --recommend --max-drop half", "--max-drop 'half' must be in percentage points, such as 0.5pp."),
        (f"{MODEL} --recommend --max-drop 0.5", "--max-drop '0.5' must be in percentage points, such as 0.5pp."),
        (f"{MODEL} --recommend --max-drop 1ppm", "--max-drop '1ppm' must be in percentage points"),
        (f"{MODEL} --recommend --max-drop -1pp", "--max-drop -1pp must be 0pp or more"),
        (f"{MODEL} --recommend --max-drop nanpp", "--max-drop nanpp must be 0pp or more"),
        (f"{MODEL} --max-drop 1pp", "--max-drop is for --recommend; give that too, or leave it out."),
        (f"{MODEL} --batch 0", "--batch 0 must be between 1 and"),
        (f"{MODEL} --by channel", "'channel' is not one of 'layer', 'block', 'stage'"),
        (f"{MODEL} --device cuda --technique dynamic-qint8", "--device cpu"),
        (
            f"{MODEL} --technique static-qint8 --technique dynamic-qint8 --recommend",
            "static-qint8 rewrites the whole model as a graph, in which dynamic-qint8 cannot take part",
        ),
    ],
)
def test_what_makes_no_sense_is_one_sentence(command: Command, arguments: str, sentence: str, tmp_path: Path) -> None:
    code, out, err = command("sensitivity", *arguments.split(), "--data", "synthetic", "--out", str(tmp_path / "out"))
    assert (code, out) == (2, "")
    assert err.startswith("bench: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is left of what was refused, not even its folder"


def test_a_model_without_a_layer_to_quantize_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(self: object, method: str, *args: object) -> object:
        return [] if method == "quantizable_layers" else original(self, method, *args)

    from bench.worker.process import Worker

    original: Any = Worker.call
    monkeypatch.setattr(Worker, "call", call)
    with pytest.raises(RequestError, match="dynamic-qint8 changes no layer of mnist/lab1; choose among"):
        sensitivity(MODEL, **QUICK)


@pytest.mark.slow
def test_a_layer_that_no_chosen_model_has_is_refused_before_anything_is_trained(command: Command) -> None:
    arguments = (
        "run",
        "--data",
        "synthetic",
        "--model",
        "mnist/mlp3x1024",
        "--technique",
        "mixed:layers.99=dynamic-fp16",
    )
    code, _, err = command(*arguments)
    assert code == 2
    assert "there is no layer 'layers.99'; did you mean 'layers.9'?" in err
    with pytest.raises(UnknownNameError, match=r"there is no layer 'layers\.9'"):
        bench.train(MODEL, ["mixed:layers.9=dynamic-fp16"], data="synthetic", epochs=1, progress=False)


# The command


@pytest.mark.slow
def test_bench_sensitivity_writes_what_it_prints(command: Command, tmp_path: Path) -> None:
    options = ("--data", "synthetic", "--epochs", "1", "--batch", "1", "--runs", "1", "--precision", "90%")
    code, out, _ = command("sensitivity", MODEL, "--technique", "static-qint8", *options, "--out", str(tmp_path))
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"sensitivity.json", "sensitivity.md", "sensitivity.svg"}
    written = Sensitivity.model_validate_json((tmp_path / "sensitivity.json").read_text(encoding="utf-8"))
    assert (tmp_path / "sensitivity.md").read_text(encoding="utf-8") == render(written)
    assert out == render(written, picture=None)
    changed = [row.layers.changed for row in written.run.rows if row.layers is not None]
    assert changed == [0, 2, 1, 1]
    assert written.recommendation is None


def test_what_a_search_evaluates_has_the_engine_that_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = machine.supported_engines()[0]
    asked: dict[str, str] = {}
    unused: Any = None
    with studied_model(SensitivityOptions(MODEL, **QUICK), engine=engine) as model:
        asked["request"] = model.request(TECHNIQUES.get("fp32"), Weights(unused), tmp_path).engine

    def touched(options: object, batch_sizes: object, engine: str) -> None:
        asked["study"] = engine
        raise RequestError("that is enough.")

    monkeypatch.setattr("bench.studies.sensitivity.study.studied_model", touched)
    with pytest.raises(RequestError, match="that is enough"):
        sensitivity(MODEL, engine=engine, **QUICK)
    assert asked == {"request": engine, "study": engine}
