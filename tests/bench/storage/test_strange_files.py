"""What strangers' checkpoints and packed files are refused for, in one sentence; tests/faults fuzzes them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from bench.core.errors import CheckpointError
from bench.storage import checkpoint, packed
from bench.storage.state_codec import Reader
from tests.bench.fuzzing.networks import HEADER, checkpoints, packed_files
from tests.bench.fuzzing.safetensors_changes import joined, split


@pytest.mark.parametrize(
    ("network", "hyperparameters"),
    [
        ("mlp", {"inputs": 2**30, "hidden": [2**30], "classes": 10}),
        ("mlp", {"inputs": 2**30, "hidden": [], "classes": 0}),
        ("mlp", {"inputs": 0, "hidden": [0] * 1_000, "classes": 10**9}),
        ("preact_resnet", {"depth": 6 * 10**8 + 2, "classes": 10}),
        ("preact_resnet", {"depth": 6 * 10**8 + 2, "classes": 10, "widening": 0}),
    ],
)
def test_a_network_that_would_fill_the_memory_is_a_sentence(
    network: str, hyperparameters: dict[str, Any], tmp_path: Path
) -> None:
    header = HEADER.model_copy(update={"network": network, "hyperparameters": hyperparameters})
    tensors = {"weight": torch.zeros(10)}
    about = {checkpoint.KEY: header.model_dump_json(), checkpoint.DIGEST: checkpoint.digest(tensors)}
    safetensors.torch.save_file(tensors, tmp_path / "checkpoint", metadata=about)
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "checkpoint")
    origin = packed.Origin(
        model="a/b", network=network, hyperparameters=hyperparameters, technique="static-qint8", engine="fbgemm"
    )
    packed.pack(torch.nn.Linear(2, 2), tmp_path / "packed", origin)
    with pytest.raises(CheckpointError):
        packed.load(tmp_path / "packed")


@pytest.mark.parametrize("hyperparameters", [{"inputs": -1}, {"inputs": 10**400}, {"hidden": [1] * 5_000}])
def test_hyperparameters_that_no_network_has_are_a_sentence(hyperparameters: dict[str, Any], tmp_path: Path) -> None:
    about = {checkpoint.KEY: HEADER.model_copy(update={"hyperparameters": hyperparameters}).model_dump_json()}
    safetensors.torch.save_file({"weight": torch.zeros(10)}, tmp_path / "checkpoint", metadata=about)
    with pytest.raises(CheckpointError, match=r"a header this version cannot read \(hyperparameters\."):
        checkpoint.load(tmp_path / "checkpoint")


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_network_of_a_million_parts_is_refused_in_seconds(tmp_path: Path) -> None:
    """Each of its channels is none, so that no number of values is too large; and the file is large enough for them."""
    hyperparameters = {"depth": 6 * 10**6 + 2, "classes": 10, "widening": 0}
    header = HEADER.model_copy(update={"network": "preact_resnet", "hyperparameters": hyperparameters})
    about = {checkpoint.KEY: header.model_dump_json()}
    safetensors.torch.save_file({"weight": torch.zeros(10**6)}, tmp_path / "checkpoint", metadata=about)
    begun = time.process_time()
    with pytest.raises(CheckpointError, match="a network of more values"):
        checkpoint.load(tmp_path / "checkpoint")
    assert time.process_time() - begun < 5


def test_a_header_longer_than_any_vocabulary_is_not_parsed(tmp_path: Path) -> None:
    about = {checkpoint.KEY: HEADER.model_dump_json() + " " * checkpoint.LARGEST_HEADER}
    safetensors.torch.save_file({"weight": torch.zeros(10)}, tmp_path / "checkpoint", metadata=about)
    with pytest.raises(CheckpointError, match="has a header longer than 16 MiB"):
        checkpoint.load(tmp_path / "checkpoint")


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F6_E2M3", "shape": [0], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [0, 2**64 - 1], "data_offsets": [0, 0]},
    ],
)
@pytest.mark.parametrize("reader", [checkpoint.load, packed.load])
def test_a_tensor_that_torch_does_not_have_is_a_sentence(reader: Any, tensor: dict[str, Any], tmp_path: Path) -> None:
    contents = checkpoints(tmp_path) if reader is checkpoint.load else packed_files(tmp_path)
    header, values = split(contents[0])
    path = tmp_path / "file"
    path.write_bytes(joined(json.dumps(header | {"another": tensor}).encode(), values))
    with pytest.raises(CheckpointError, match=str(path)):
        reader(path)


@pytest.mark.parametrize("shape", [[10**4_000] * 1_000, [1] * 100_000, [2**63, 0], [0] * 65])
def test_a_shape_of_no_tensor_is_refused_before_it_is_multiplied(shape: list[int]) -> None:
    with pytest.raises(ValueError, match="is too large or not a shape"):
        Reader({"int8": torch.zeros(1, dtype=torch.int8)}).decode(["int8", shape])
