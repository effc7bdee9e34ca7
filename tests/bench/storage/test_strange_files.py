"""What strangers' checkpoints and packed files make of their readers: a network, or one sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given

from bench import models
from bench.core.errors import CheckpointError, QuantbenchError
from bench.storage import checkpoint, packed
from bench.techniques.base import TECHNIQUES, Context
from tests.bench.mutations import FEW, MANY, RANDOMS, damaged, mutated

ENGINES = torch.backends.quantized.supported_engines
pytestmark = pytest.mark.skipif("fbgemm" not in ENGINES, reason="this torch has no fbgemm")

MLP: dict[str, Any] = {"inputs": 12, "hidden": [8, 6], "classes": 4}
TECHNIQUE_NAMES = ("fp32", "bf16", "dynamic-qint8", "static-qint8", "range-linear:w4")
HEADER = checkpoint.Header(
    task="mnist",
    model="lab1",
    network="mlp",
    hyperparameters=MLP,
    recipe={"epochs": 1},
    precision="float32",
    seed=0,
    device="cpu",
    data_kind="synthetic",
    data_fingerprint="ab",
    vocabulary=["a"],
    seconds=1.0,
    history=[checkpoint.EpochRecord(loss=1.0, seconds=1.0)],
    threads=1,
    torch="2",
)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The checkpoint of a small MLP, and its packed file under each technique."""
    folder = tmp_path_factory.mktemp("valid")
    checkpoint.save(folder / "checkpoint", models.build("mlp", dict(MLP)), HEADER)
    paths = [folder / "checkpoint"]
    for technique in TECHNIQUE_NAMES:
        context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: torch.rand(4, 12))
        variant = TECHNIQUES.get(technique).convert(models.build("mlp", dict(MLP)).eval(), context)
        paths.append(folder / technique.replace(":", "-"))
        origin = packed.Origin(
            model="mnist/lab1", network="mlp", hyperparameters=MLP, technique=technique, engine="fbgemm"
        )
        packed.pack(variant.module, paths[-1], origin)
        packed.load(paths[-1])
    return [path.read_bytes() for path in paths]


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Take a safetensors file apart: its header and the values."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: object, values: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values


def strange(content: bytes, random: Random) -> bytes:
    """Change bytes, the header of safetensors, or ours within it."""
    way = random.randrange(4)
    if way == 0:
        return damaged(content, random)
    header, values = split(content)
    if way == 1:
        return joined(mutated(header, random), values)
    ours = header["__metadata__"]
    if packed.KEY in ours:
        ours[packed.KEY] = packed._compressed(mutated(packed._decompressed(ours[packed.KEY]), random))
    else:
        ours[checkpoint.KEY] = json.dumps(mutated(json.loads(ours[checkpoint.KEY]), random))
    return joined(header, values)


def check(content: bytes, random: Random, path: Path) -> None:
    path.write_bytes(strange(content, random))
    for read in (packed.load, checkpoint.load, lambda path: checkpoint.untrained(path, "cpu")):
        said = str(path)
        try:
            read(path)
        except QuantbenchError as refusal:
            said = str(refusal)
        assert str(path) in said
        assert "\n" not in said


@FEW
@given(random=RANDOMS)
def test_a_changed_file_is_a_network_or_a_sentence(
    random: Random, contents: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    check(random.choice(contents), random, tmp_path_factory.mktemp("strange") / "file")


@pytest.mark.slow
@MANY
@given(random=RANDOMS)
def test_many_changed_files(random: Random, contents: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    check(random.choice(contents), random, tmp_path_factory.mktemp("strange") / "file")


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
