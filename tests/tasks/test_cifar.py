from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.tasks.cifar import CIFAR10_FILES, CIFAR100_FILES, CifarFiles
from bench.tasks.dataset import Split
from bench.tasks.errors import DataError
from bench.tasks.source import data_folder, locate
from bench.tasks.task import TASKS, ModelSpec, Task

CIFAR10, CIFAR100 = TASKS.get("cifar10"), TASKS.get("cifar100")
BOTH = pytest.mark.parametrize("task", [CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
RESNET8 = CIFAR10.models[0]


class Trap:
    """Touches ``path`` when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def pictures(images: Tensor) -> Split:
    return Split({"images": images.to(torch.uint8)}, torch.arange(len(images)))


def ramp() -> Tensor:
    """An image whose pixels are all different: the channels are row, column and white."""
    row = torch.arange(1, 33).view(32, 1).expand(32, 32)
    return torch.stack([row, row.t(), torch.full((32, 32), 255)]).to(torch.uint8)


def augmented(images: Tensor, seed: int = 0) -> Tensor:
    return CIFAR10.augment(pictures(images), torch.Generator().manual_seed(seed)).features["images"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    list(zip(CIFAR10.models, [77_850, 175_066, 272_282, 369_498], strict=True)),
    ids=[spec.name for spec in CIFAR10.models],
)
def test_parameters_of_the_models(spec: ModelSpec, expected: int) -> None:
    assert sum(parameter.numel() for parameter in spec.build().parameters()) == expected


@BOTH
def test_a_model_has_a_logit_for_each_class(task: Task) -> None:
    images = task.inputs(task.models[0], pictures(ramp().unsqueeze(0)))
    assert task.models[0].build().eval()(images).shape == (1, 10 if task is CIFAR10 else 100)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        (0, [-2.4291, -2.4183, -2.2214]),  # (0 - 0.4914) / 0.2023, …
        (255, [2.5141, 2.5968, 2.7537]),  # (1 - 0.4914) / 0.2023, …
        (102, [-0.4518, -0.4122, -0.2313]),  # (0.4 - 0.4914) / 0.2023, …
    ],
)
def test_pixels_are_normalized_per_channel(pixel: int, expected: list[float]) -> None:
    inputs = CIFAR10.inputs(RESNET8, pictures(torch.full((1, 3, 32, 32), pixel)))
    assert inputs.dtype == torch.float32
    assert inputs[0, :, 7, 9].tolist() == pytest.approx(expected, abs=5e-5)


def test_normalizing_leaves_the_images_as_they_were() -> None:
    split = pictures(ramp().unsqueeze(0))
    CIFAR10.inputs(RESNET8, split)
    assert torch.equal(split.features["images"][0], ramp())


def test_weights_and_inputs_lie_channels_last_in_memory() -> None:
    inputs = CIFAR10.inputs(RESNET8, pictures(ramp().unsqueeze(0)))
    weight = RESNET8.build().get_parameter("blocks.0.conv1.weight")
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_augmentation_is_every_shift_by_up_to_four_pixels_with_and_without_a_flip_and_nothing_else() -> None:
    padded = F.pad(ramp(), (4, 4, 4, 4))
    shifted = [padded[:, top : top + 32, left : left + 32] for top in range(9) for left in range(9)]
    expected = {image.numpy().tobytes() for crop in shifted for image in (crop, crop.flip(-1))}
    drawn = {image.numpy().tobytes() for image in augmented(ramp().expand(4000, 3, 32, 32))}
    assert len(expected) == 2 * 9 * 9
    assert ramp().numpy().tobytes() in expected, "a shift by the padding and no flip is the image itself"
    assert drawn == expected


def test_about_every_second_image_is_flipped() -> None:
    columns = augmented(ramp().expand(1000, 3, 32, 32))[:, 1, 16, 10:20].int()
    assert 450 < int((columns[:, 0] > columns[:, -1]).sum()) < 550


def test_each_image_stays_with_its_label_and_channels_stay_together() -> None:
    levels = torch.arange(6).view(6, 1, 1, 1) * 10 + torch.arange(3).view(3, 1, 1)
    changed = CIFAR10.augment(pictures(levels.expand(6, 3, 32, 32)), torch.Generator().manual_seed(0))
    assert changed.labels.tolist() == list(range(6))
    assert changed.features["images"].shape == (6, 3, 32, 32)
    assert torch.equal(changed.features["images"][:, :, 16, 16], levels[:, :, 0, 0])


def test_augmentation_is_decided_by_the_generators_seed() -> None:
    images = ramp().expand(20, 3, 32, 32)
    assert torch.equal(augmented(images, seed=1), augmented(images, seed=1))
    assert not torch.equal(augmented(images, seed=1), augmented(images, seed=2))


def test_the_checksums_of_cifar10_are_torchvisions() -> None:
    assert CIFAR10_FILES.names == (*(f"data_batch_{batch}" for batch in range(1, 6)), "test_batch", "batches.meta")
    assert CIFAR10_FILES.checksums["data_batch_1"] == "md5:c99cafc152244af753f735de768cd75f"
    assert CIFAR10_FILES.checksums["test_batch"] == "md5:40351d587109b95175f43aff81a1287e"
    assert CIFAR10_FILES.checksums["batches.meta"] == "md5:5ff9c542aee3614f3951f8cda6e48888"


def test_the_checksums_of_cifar100_are_torchvisions() -> None:
    assert CIFAR100_FILES.checksums == {
        "train": "md5:16019d7e3df5f24257cddd939b257f8d",
        "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "md5:7973b15100ade9c7d40fb424638fde48",
    }


@pytest.mark.parametrize("files", [CIFAR10_FILES, CIFAR100_FILES], ids=["cifar10", "cifar100"])
def test_a_damaged_real_file_is_refused_before_it_is_unpickled(files: CifarFiles, tmp_path: Path) -> None:
    folder = data_folder(None) / files.folder
    folder.mkdir(parents=True)
    for name in files.names:
        (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(DataError, match=rf"{files.names[0]} is damaged or truncated: its md5 is"):
        locate(files, "real", None)
    assert not (tmp_path / "sprung").exists()


@BOTH
def test_an_altered_stand_in_is_made_anew(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    good = locate(task.files, "synthetic", None)
    for name in task.files.names:
        (good.root / task.files.folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert task.load("synthetic", None).fingerprint == good.fingerprint
    assert not (tmp_path / "sprung").exists()


@BOTH
def test_a_stand_in_altered_after_it_was_checked_is_not_unpickled(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    source = locate(task.files, "synthetic", None)
    for name in task.files.names:
        (source.root / task.files.folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(RuntimeError, match="corrupted"):
        task.read(source)
    assert not (tmp_path / "sprung").exists()
