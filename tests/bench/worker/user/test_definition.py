"""What decides whether two runs gave a user's model the same inputs, and judged it alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.worker.user.callables import FilePart, PickledPart
from bench.worker.user.definition import definition
from bench.worker.user.model import UserModel

NET = '''
"""A network and its test."""
import torch
from torch import nn

WIDTH = 8
COUNT, SEED = 100, 2

def network():
    return nn.Linear(4, WIDTH)

class Net(nn.Module):
    def example(size):
        return torch.rand(size, 4)

    def forward(self, values):
        return values

def examples(count, seed):
    return torch.rand(count, 4)

@torch.no_grad()
def accuracy(model: Net):
    network = examples(COUNT, SEED)
    return int((model(network) > 0).sum()), COUNT

inputs = lambda size: examples(size, 1)

if __name__ == "__main__":
    model = network()
    COUNT = 5
'''


def defined(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    text = NET
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "net.py").write_text(text, encoding="utf-8")
    return definition(folder / "net.py", name)


def test_a_definition_is_its_text_and_that_of_what_it_uses(tmp_path: Path) -> None:
    assert defined(tmp_path, "accuracy") == (
        "COUNT, SEED = 100, 2\n"
        "def examples(count, seed):\n    return torch.rand(count, 4)\n"
        "def accuracy(model: Net):\n"
        "    network = examples(COUNT, SEED)\n"
        "    return int((model(network) > 0).sum()), COUNT"
    )


@pytest.mark.parametrize("name", ["accuracy", "inputs", "Net.example"])
def test_an_edited_model_leaves_it_as_it_is(tmp_path: Path, name: str) -> None:
    edited = ("nn.Linear(4, WIDTH)", "nn.Linear(4, WIDTH).relu()"), ("WIDTH = 8", "WIDTH = 9")
    assert defined(tmp_path, name, *edited, ("return values", "return 2 * values")) == defined(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("accuracy", ("> 0", "> 1")),
        ("accuracy", ("COUNT, SEED = 100", "COUNT, SEED = 50")),
        ("accuracy", ("torch.rand(count", "torch.randn(count")),
        ("inputs", ("examples(size, 1)", "examples(size, 3)")),
        ("Net.example", ("torch.rand(size", "torch.randn(size")),
        ("nowhere", ("WIDTH = 8", "WIDTH = 9")),
    ],
)
def test_what_it_uses_changes_it(tmp_path: Path, name: str, change: tuple[str, str]) -> None:
    assert defined(tmp_path, name, change) != defined(tmp_path, name)


def test_a_file_that_is_no_python_is_the_whole_of_it(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("def accuracy(:", encoding="utf-8")
    assert definition(tmp_path / "net.py", "accuracy") == "def accuracy(:"


def own(folder: Path, *changes: tuple[str, str]) -> UserModel:
    defined(folder, "accuracy", *changes)
    named = {part: FilePart(folder / "net.py", part) for part in ("inputs", "accuracy")}
    return UserModel("net", "network", FilePart(folder / "net.py", "network"), named["inputs"], named["accuracy"])


def test_an_edited_model_has_the_same_data_and_another_source(tmp_path: Path) -> None:
    before = own(tmp_path)
    fingerprint, source = before.fingerprint(), before.source()
    edited = own(tmp_path, ("WIDTH = 8", "WIDTH = 9"))
    assert (edited.fingerprint() == fingerprint, edited.source() == source) == (True, False)
    assert own(tmp_path, ("> 0", "> 1")).fingerprint() != fingerprint


def test_a_function_of_a_program_is_its_text_and_any_other_object_its_pickle(tmp_path: Path) -> None:
    def saved(value: object) -> bytes:
        return PickledPart.save(value, tmp_path / "part", "part", "part").definition

    assert saved(defined).startswith(b"def defined(")
    assert saved([1, 2]) == (tmp_path / "part").read_bytes() != saved([1, 3])
