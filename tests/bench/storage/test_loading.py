"""A packed file from anybody: rebuilt, or refused in one sentence, before time and memory are taken."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

import bench
from bench import models
from bench.core.errors import CheckpointError, UnsupportedError
from bench.storage import packed

SMALL = {"inputs": 4, "hidden": [3], "classes": 2}
NO_DRIVER = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.packed"


def write(path: Path, **changes: Any) -> None:
    """Write a small file that says of itself what is in ``changes``."""
    said = {"model": "own/net", "network": "mlp", "hyperparameters": SMALL, "technique": "fp32", "engine": "fbgemm"}
    packed.pack(nn.Linear(2, 2), path, packed.Origin.model_construct(**{**said, **changes}))  # as a stranger would


def refusal(path: Path, error: type[Exception] = CheckpointError, device: str = "cpu") -> str:
    with pytest.raises(error) as caught:
        bench.load_packed(path, device)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_a_file_that_does_not_say_what_it_is_of_is_refused(path: Path) -> None:
    packed.pack(nn.Linear(2, 2), path)
    assert "does not say what it is of" in refusal(path)


def test_a_manifest_without_an_end_is_refused(path: Path) -> None:
    content = base64.b85encode(zlib.compress(b"[" * 200_000)).decode()
    safetensors.torch.save_file({"int8": torch.zeros(2)}, path, metadata={packed.KEY: content})
    assert "has an invalid manifest (maximum recursion depth" in refusal(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "transformer"},
        {"technique": "nonsense"},
        {"trained_as": "dorefa:w6"},
        {"hyperparameters": {"inputs": 4}},
        {"network": "preact_resnet", "hyperparameters": {"depth": 9, "classes": 2}},
    ],
)
def test_a_file_of_a_model_that_there_is_not_is_refused(path: Path, changes: dict[str, Any]) -> None:
    write(path, **changes)
    message = refusal(path)
    assert "is of a model that this version cannot build" in message
    assert len(message) < 400


@pytest.mark.parametrize("classes", [-1, 10**18, 10**30])
def test_a_network_of_a_size_that_none_has_is_refused(path: Path, classes: int) -> None:
    write(path, hyperparameters=SMALL | {"classes": classes})
    message = refusal(path)
    assert "does not say what it is of" in message
    assert "hyperparameters.classes" in message


class Endless(nn.Module):
    """Makes layers for as long as it is let, and its example as it likes."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(self.layer(number) for number in range(layers))

    @staticmethod
    def layer(number: int) -> nn.Module:
        assert number < 1000, "built on and on"
        return nn.Linear(8, 8)

    @staticmethod
    def example(hyperparameters: dict[str, object]) -> torch.Tensor:
        raise AssertionError("no example")


def test_a_small_file_that_names_a_huge_network_is_refused_before_memory_is_taken(path: Path) -> None:
    write(path, hyperparameters={"inputs": 10**6, "hidden": [10**6], "classes": 10})
    assert "names a network of more values than" in refusal(path)


def test_a_small_file_that_names_a_deep_network_is_refused_before_time_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(models.NETWORKS, "endless", Endless)
    write(path, network="endless", hyperparameters={"layers": 2**31 - 1})
    assert "names a network of more values than" in refusal(path)


def test_a_network_without_an_example_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.NETWORKS, "endless", Endless)
    write(path, network="endless", hyperparameters={"layers": 1})
    assert "cannot build (no example)" in refusal(path)


@pytest.mark.parametrize("technique", ["dynamic-qint8", "static-qint8", "dynamic-fp16"])
def test_an_engine_that_is_not_here_is_refused(path: Path, technique: str) -> None:
    write(path, technique=technique, engine="bogus")
    message = refusal(path, UnsupportedError)
    assert "cannot be used here" in message
    assert message.endswith("; load it on another device, or pack the variant again on this machine.")


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=NO_DRIVER), "nonsense"])
def test_a_device_that_is_not_here_is_refused(path: Path, device: str) -> None:
    write(path)
    assert refusal(path, UnsupportedError, device).startswith(f"there is no device '{device}' here (")


def test_a_model_of_ones_own_is_refused_for_the_same_reasons(path: Path) -> None:
    write(path, network="", technique="dynamic-qint8", engine="bogus", built_by="net.py")
    network, example = nn.Sequential(nn.Linear(2, 2)), (torch.zeros(1, 2),)
    with pytest.raises(UnsupportedError, match="cannot be used here"):
        packed.load_user_model(path, network, example)
    with pytest.raises(UnsupportedError, match="there is no device 'nonsense' here"):
        packed.load_user_model(path, network, example, "nonsense")
