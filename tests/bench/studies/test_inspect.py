"""What a low-bit technique did to each layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import RequestError, UnknownNameError
from bench.report import inspection as report_inspection
from bench.studies.inspect import inspect
from tests.bench.conftest import Command
from tests.bench.notebook import shown
from tests.bench.studies.conftest import MODEL, OPTIONS, QUICK


def test_an_inspection_has_levels_outputs_and_scores(tmp_path: Path) -> None:
    found = inspect(MODEL, "dorefa:w2a2", ["layers.0"], out=tmp_path, **QUICK)
    assert found.described == ["layers.0"]
    first, last = found.layers
    assert first.values == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert (last.name, last.weights, last.distinct, last.bits) == ("layers.2", 5120, 4, 2)
    assert [layer.name for layer in found.outputs] == ["layers.0"]
    assert not found.activations, "the inputs of the first layer are the data"
    [activations] = inspect(MODEL, "dorefa:w2a2", ["layers.2"], **QUICK).activations
    assert (activations.name, activations.least, activations.largest, activations.distinct) == ("layers.2", 0.0, 1.0, 4)
    assert "course-2025" in found.scores
    assert shown(found) == report_inspection.render(found)
    assert (tmp_path / "weights.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_a_layer_that_there_is_not_is_a_sentence_before_any_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.running.weights.PREPARATION_HOST", "tests.bench.hosts:Host")  # which cannot train
    with pytest.raises(UnknownNameError, match=r"there is no layer 'layers\.9'"):
        inspect(MODEL, "bwn", ["layers.9"], seed=7, **QUICK)


def test_a_technique_that_quantizes_nothing_has_no_levels(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="dorefa:w32a32 quantizes nothing and has no levels"):
        inspect(MODEL, "dorefa:w32a32", out=tmp_path, **QUICK)


def test_other_techniques_have_no_levels_to_look_at() -> None:
    with pytest.raises(RequestError, match="fp16 is not a low-bit technique"):
        inspect(MODEL, "fp16", **QUICK)


def test_bench_inspect_writes_what_it_prints(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("inspect", MODEL, "--technique", "bwn", *OPTIONS, "--out", str(tmp_path))
    assert code == 0
    assert "SQNR" in out
    assert (tmp_path / "inspection.md").read_text(encoding="utf-8").splitlines()[0] in out
