"""Graphs are built once, and only whole ones are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.storage.graph_cache import GraphCache


def test_a_graph_is_made_once_for_all_that_decides_it(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text(str(len(made)), encoding="utf-8")

    cache = GraphCache(tmp_path / "graphs", "a model")
    first = cache.get("model.onnx", ("1.0", "VNNI"), make)
    assert first.name == "model.onnx"
    assert cache.get("model.onnx", ("1.0", "VNNI"), make) == first
    assert GraphCache(tmp_path / "graphs", "a model").get("model.onnx", ("1.0", "VNNI"), make) == first
    others = [
        cache.get("model.onnx", ("1.1", "VNNI"), make),
        cache.get("model.onnx", ("1.0", "AVX2"), make),
        cache.get("float32.onnx", ("1.0", "VNNI"), make),
        GraphCache(tmp_path / "graphs", "another model").get("model.onnx", ("1.0", "VNNI"), make),
    ]
    assert len({first, *others}) == len(made) == 5


def test_those_who_want_the_same_graph_wait_for_the_first(tmp_path: Path) -> None:
    made: list[int] = []

    def make(path: Path) -> None:
        made.append(1)
        path.mkdir()
        (path / "part").write_text("whole", encoding="utf-8")

    cache = GraphCache(tmp_path, "a model")
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: cache.get("graph", (), make), range(16)))
    assert len(paths) == len(made) == 1
    assert (paths.pop() / "part").read_text(encoding="utf-8") == "whole"


def test_a_graph_that_could_not_be_made_is_made_again(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise ValueError("no")

    cache = GraphCache(tmp_path, "a model")
    with pytest.raises(ValueError, match="no"):
        cache.get("model.onnx", (), fail)
    assert cache.get("model.onnx", (), lambda path: path.touch()).read_text(encoding="utf-8") == ""


def test_a_graph_that_is_damaged_or_another_ones_is_made_again(tmp_path: Path) -> None:
    def get(name: str) -> Path:
        def make(path: Path) -> None:
            path.write_text(f"of {name}")

        return GraphCache(tmp_path, name).get("model.onnx", (), make)

    ours, other = get("ours"), get("other")
    for damage in (b"", b"of our", b"of Ours", other.read_bytes()):
        ours.write_bytes(damage)
        assert get("ours").read_text() == "of ours"
    (ours.parent / "SHA256").unlink()
    assert get("ours").read_text() == "of ours"
    ours.parent.rename(tmp_path / "aside")
    other.parent.rename(ours.parent)
    assert get("ours").read_text() == "of ours"
    assert get("other").read_text() == "of other"
