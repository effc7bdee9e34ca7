"""Files that are corrupt, truncated, foreign or swapped: one sentence each, or they are made again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch

from bench import models
from bench.core.errors import QuantbenchError
from bench.results import run_file
from bench.storage import packed
from bench.studies.train import train
from bench.tasks.source import locate
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES, Context
from tests.bench.conftest import Command
from tests.bench.examples import RUN
from tests.faults.conftest import Survived, said
from tests.tasks.test_source import REAL, Letters, put

FOREIGN = b"#!/bin/sh\necho a program\n"
ONNX = ("--runtime=onnxruntime", "--technique=fp32")
SHORT = ("--data=synthetic", "--epochs=1", "--batch=2", "--runs=1", "--precision=90%", "--spread=0")


def damages(content: bytes, other: bytes) -> dict[str, bytes]:
    """Return what may have become of a file, by word; ``other`` is another file of its kind."""
    middle = len(content) * 3 // 4
    flipped = bytes([content[middle] ^ 1])
    return {
        "corrupt": content[:middle] + flipped + content[middle + 1 :],
        "truncated": content[:middle],
        "foreign": FOREIGN,
        "swapped": other,
    }


def damaged(path: Path, other: Path) -> Iterator[str]:
    """Put each damage into the file, and yield which it is."""
    content = path.read_bytes()
    for word, damage in damages(content, other.read_bytes()).items():
        path.write_bytes(damage)
        yield word
    path.write_bytes(content)


def together(sentences: Mapping[str, str]) -> str:
    """Return each sentence once, with the damages that it is said of; digests are left out."""
    words_of: dict[str, list[str]] = {}
    for word, sentence in sentences.items():
        words_of.setdefault(re.sub(r"[0-9a-f]{16,}", "…", sentence), []).append(word)
    return " ".join(f"*{', '.join(words)}*: {sentence}" for sentence, words in words_of.items())


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(QuantbenchError) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_data_file(survived: Survived, tmp_path: Path) -> None:
    put(tmp_path, REAL)
    file, other = (tmp_path / Letters.folder / name for name in Letters.names)
    sentences = {word: refusal(lambda: locate(Letters(), "real", tmp_path)) for word in damaged(file, other)}
    assert all("train.txt is damaged or truncated" in sentence for sentence in sentences.values())
    assert locate(Letters(), "real", tmp_path).kind == "real"
    survived("A data file is damaged", together(sentences), "the file, as it is; nothing reads it")


def test_a_stand_in(survived: Survived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path))
    files = TASKS.get("mnist").files
    whole = locate(files, "synthetic", None)
    images, labels = (whole.root / files.folder / name for name in files.names[:2])
    again = {word: locate(files, "synthetic", None) for word in damaged(labels, images)}
    assert set(map(repr, again.values())) == {repr(whole)}
    survived(
        "A file of a synthetic stand-in is damaged",
        f"*{', '.join(again)}*: nothing; it is made again, with the same fingerprint {whole.fingerprint}",
        "all of it",
    )


def test_a_checkpoint(survived: Survived, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    ours, other = train("mnist/lab1", ["fp32"], seeds=[0, 1], data="synthetic", epochs=1, progress=False)
    request = ("run", "--model=mnist/lab1", "--technique=fp32", *SHORT, f"--out={tmp_path / 'out'}")
    sentences = {}
    for word in damaged(ours.checkpoint, other.checkpoint):
        code, out, err = command(*request)
        assert (code, out) == (2, "")
        sentences[word] = said(err)
    assert not (tmp_path / "out/run.json").exists()
    assert all("delete the file, and its model is trained again" in sentence for sentence in sentences.values())
    survived("A checkpoint is damaged", together(sentences), "the checkpoint, as it is, and all others")


def test_a_packed_file(survived: Survived, tmp_path: Path) -> None:
    network = {"inputs": 12, "hidden": [8, 6], "classes": 4}
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: torch.rand(4, 12))
    for technique in ("bf16", "fp16"):
        variant = TECHNIQUES.get(technique).convert(models.build("mlp", dict(network)).eval(), context)
        packed.pack(variant.module, tmp_path / technique)
    module = TECHNIQUES.get("bf16").convert(models.build("mlp", dict(network)).eval(), context).module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    sentences = {
        word: refusal(lambda: packed.unpack(module, tmp_path / "bf16"))
        for word in damaged(tmp_path / "bf16", tmp_path / "fp16")
    }
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    packed.unpack(module, tmp_path / "bf16")
    survived("A packed file is damaged", together(sentences), "the module that it was to be loaded into")


def test_a_run_file(survived: Survived, command: Command, tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    (tmp_path / "other.json").write_text('{"schema_version": 3, "layers": []}')
    sentences = {}
    path = tmp_path / "run.json"
    content = path.read_bytes()
    changes = damages(content, (tmp_path / "other.json").read_bytes())
    changes["corrupt"] = content.replace(b'"finished":', b'"finishxd":', 1)
    for word, damage in changes.items():
        path.write_bytes(damage)
        code, out, err = command("report", str(path))
        assert (code, out) == (2, "")
        sentences[word] = said(err)
        assert path.read_bytes() == damage
    survived("A run file is damaged", together(sentences), "the file, as it is")


def test_a_run_folder_with_a_damaged_run_file(survived: Survived, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(run_file_bytes(tmp_path)[:-100])
    code, _, err = command("run", "--model=mnist/lab1", "--technique=fp32", *SHORT, f"--out={tmp_path}")
    assert code == 2
    assert path.read_bytes() == run_file_bytes(tmp_path)[:-100]
    survived("A run is to go on whose run file is damaged", said(err), "the file, as it is")


def run_file_bytes(folder: Path) -> bytes:
    run_file.save(RUN, folder / "whole.json")
    return (folder / "whole.json").read_bytes()


@pytest.mark.slow
def test_an_onnx_file_in_the_cache(
    survived: Survived, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))

    def accuracies(model: str, number: int) -> list[object]:
        out = tmp_path / f"{model}-{number}"
        code, _, err = command("run", f"--model=mnist/{model}", *ONNX, *SHORT, f"--out={out}")
        assert code == 0, err
        rows = run_file.load(out / "run.json").rows
        assert all(row.measured for row in rows)
        return [(row.technique, row.runtime, row.accuracy, row.deploy_bytes) for row in rows]

    def graphs() -> set[Path]:
        return set((tmp_path / "cache/graphs").rglob("model.onnx"))

    def largest(paths: set[Path]) -> Path:  # a model that does nothing has one, too
        return max(paths, key=lambda path: path.stat().st_size)

    before = accuracies("lab1", 0)
    ours, known = largest(graphs()), graphs()
    accuracies("lab2", 0)
    other = largest(graphs() - known)
    words = []
    for number, word in enumerate(damaged(ours, other), 1):
        assert accuracies("lab1", number) == before
        words.append(word)
    survived(
        "An `.onnx` file in the cache is damaged",
        f"*{', '.join(words)}*: nothing; it is exported again, and the row has the same accuracy and size",
        "all rows",
    )
