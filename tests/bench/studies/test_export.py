"""A packed file that gives the logits back alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.core.errors import CheckpointError, RequestError
from bench.studies.export import export
from bench.worker.process import Worker
from tests.bench.conftest import Command
from tests.bench.studies.conftest import FAILED, MODEL, OPTIONS, QUICK, Failing


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
        return dataclasses.replace(outcome, fingerprint="another") if method == "verify" else outcome

    return changed


def test_a_folder_is_no_file_to_export_to(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is a folder; name a file for --out"):
        export(MODEL, tmp_path, "fp32", **QUICK)


def test_a_folder_that_cannot_be_written_is_refused_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(RequestError, match="cannot be written"):
        export("mnist/mlp3x1024", tmp_path / "file" / "model.packed", "fp32", data="synthetic", progress=False)


def test_bench_export_says_what_the_file_holds(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "model.packed"
    code, out, _ = command("export", MODEL, "--technique", "bwn", *OPTIONS, "--out", str(path))
    assert code == 0
    assert f"{path.stat().st_size / 1e3:,.1f} kB" in out
    assert "uint8 50,816" in out, "406,528 weights of 1 bit"
    assert "reloaded to the same logits" in out


def test_an_export_whose_training_fails_is_a_sentence(command: Command, failing: Failing, tmp_path: Path) -> None:
    failing(lambda order: True)
    code, _, err = command("export", MODEL, *OPTIONS, "--out", str(tmp_path / "model.packed"))
    assert code == 2
    assert err.endswith(f"bench: {FAILED}\n")
