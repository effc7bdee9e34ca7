from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from bench.core.errors import CheckpointError
from bench.models import MLP
from bench.storage import checkpoint
from bench.storage.checkpoint import KEY, DataIdentity, Header, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.task import TASKS

SPEC = TASKS.get("mnist").models[0]
ORDER = checkpoint.training_spec("mnist", SPEC, DataIdentity("synthetic", "f00d"), "float32", seed=0, device="cpu")


def header(order: TrainingSpec = ORDER) -> Header:
    return Header(**order.model_dump(), vocabulary=[], seconds=1.5, threads=1, torch="2.14.1")


def write(tensors: dict[str, torch.Tensor], path: Path, head: Header) -> None:
    metadata = {KEY: head.model_dump_json(), checkpoint.DIGEST: checkpoint.digest(tensors)}
    safetensors.torch.save_file(tensors, path, metadata=metadata)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "model.safetensors", SPEC.build(), header())
    return tmp_path / "model.safetensors"


def test_a_model_is_rebuilt_from_its_file_alone(path: Path) -> None:
    torch.manual_seed(0)
    expected = SPEC.build().eval()
    network, found = checkpoint.load(path)
    inputs = torch.rand(3, 784)
    assert isinstance(network, MLP)
    assert not network.training
    assert torch.equal(network(inputs), expected(inputs))
    assert found == header()


def test_saving_leaves_no_other_file(path: Path) -> None:
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"precision": "bfloat16"},
        {"data_fingerprint": "beef"},
        {"recipe": {"epochs": 3}},
        {"recipe": {**ORDER.recipe, "threads": 2}},
        {"device": "cuda"},
    ],
)
def test_everything_that_decides_the_weights_is_in_the_hash(change: dict[str, object]) -> None:
    other = ORDER.model_copy(update=change)
    assert other.recipe_hash != ORDER.recipe_hash
    assert other.name != ORDER.name


def test_the_hash_is_stable() -> None:
    assert ORDER.model_copy().recipe_hash == ORDER.recipe_hash


def test_a_checkpoint_that_was_trained_with_more_threads_before_recipes_named_them_is_found(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    checkpoint.save(store.path(ORDER), SPEC.build(), header().model_copy(update={"threads": 2}))
    found = store.get(ORDER)
    assert found is not None
    assert found.threads == 2


def test_a_truncated_file_is_a_sentence(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"truncated or damaged .*; delete the file"):
        checkpoint.read_header(path)


def test_a_pickle_is_a_sentence_and_not_opened(path: Path) -> None:
    torch.save(SPEC.build().state_dict(), path)
    with pytest.raises(CheckpointError, match=r"truncated or damaged .*; delete the file"):
        checkpoint.load(path)


def test_somebody_elses_safetensors_is_a_sentence(path: Path) -> None:
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="was not written by quantbench"):
        checkpoint.read_header(path)


def test_a_checkpoint_of_another_recipe_is_a_sentence(path: Path) -> None:
    wanted = ORDER.model_copy(update={"seed": 7})
    with pytest.raises(
        CheckpointError, match=r"is of another seed \(0, not 7\); delete the file, and its model is trained again"
    ):
        checkpoint.read_header(path, wanted)


def test_a_header_of_another_format_is_a_sentence(path: Path) -> None:
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path, metadata={KEY: '{"format": 99}'})
    with pytest.raises(CheckpointError, match="a header this version cannot read"):
        checkpoint.read_header(path)


def test_tensors_that_do_not_fit_the_network_are_a_sentence(path: Path) -> None:
    write({"weight": torch.zeros(200_000)}, path, header())
    with pytest.raises(CheckpointError, match="does not fit the network it names"):
        checkpoint.load(path)


def test_hyperparameters_that_make_no_network_are_a_sentence(path: Path) -> None:
    odd = ORDER.model_copy(update={"network": "preact_resnet", "hyperparameters": {"depth": 9, "classes": 10}})
    write({"weight": torch.zeros(2)}, path, header(odd))
    with pytest.raises(CheckpointError, match=r"of a network that this version cannot build .*depth 6 n"):
        checkpoint.load(path)


def test_a_flipped_bit_among_the_weights_is_a_sentence(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    checkpoint.read_header(path, ORDER)
    with pytest.raises(CheckpointError, match=r"damaged \(its weights do not .* names\); delete the file"):
        checkpoint.load(path)


def test_a_folder_in_the_place_of_a_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be read \(Is a directory\)"):
        checkpoint.read_header(tmp_path)
