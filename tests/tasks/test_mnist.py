from __future__ import annotations

import pytest
import torch

from bench.tasks.dataset import Split
from bench.tasks.errors import DataError
from bench.tasks.mnist import MnistFiles
from bench.tasks.source import data_folder, locate
from bench.tasks.task import TASKS, ModelSpec

MNIST = TASKS.get("mnist")
LAB1, LAB2, _ = MNIST.models


def digits(images: torch.Tensor) -> Split:
    """A split of 28×28 images, ``(n, 28, 28)``."""
    return Split({"images": images.to(torch.uint8).unsqueeze(1)}, torch.zeros(len(images), dtype=torch.int64))


@pytest.mark.parametrize(("spec", "expected"), [(LAB1, 407_050), (LAB2, 1_470_474)], ids=["lab1", "lab2"])
def test_parameters_of_the_models(spec: ModelSpec, expected: int) -> None:
    assert sum(parameter.numel() for parameter in spec.build().parameters()) == expected


@pytest.mark.parametrize(("spec", "pixels"), [(LAB1, 784), (LAB2, 400)], ids=["lab1", "lab2"])
def test_inputs_are_flat_float32_images(spec: ModelSpec, pixels: int) -> None:
    inputs = MNIST.inputs(spec, digits(torch.zeros(3, 28, 28)))
    assert inputs.shape == (3, pixels)
    assert inputs.dtype == torch.float32


def test_pixels_lie_in_0_to_1() -> None:
    levels = torch.tensor([0, 51, 255]).view(3, 1, 1).expand(3, 28, 28)
    assert MNIST.inputs(LAB1, digits(levels))[:, 0].tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_the_crop_is_the_central_20x20_pixels() -> None:
    image = torch.zeros(1, 28, 28)
    image[:, 4:24, 4:24] = 255
    assert MNIST.inputs(LAB2, digits(image))[0].tolist() == [1.0] * 400
    assert MNIST.inputs(LAB2, digits(255 - image))[0].tolist() == [0.0] * 400


def test_pixels_are_read_row_by_row() -> None:
    image = torch.zeros(1, 28, 28)
    image[0, 4, 5] = 255  # first row of the crop, second column
    image[0, 5, 4] = 255  # second row, first column
    assert MNIST.inputs(LAB2, digits(image))[0].nonzero()[:, 0].tolist() == [1, 20]


def test_a_damaged_file_is_refused() -> None:
    folder = data_folder(None) / MnistFiles.folder
    folder.mkdir(parents=True)
    for name in MnistFiles.names:
        (folder / name).write_bytes(b"not MNIST")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is damaged or truncated: its sha256 is .* ba891046"):
        locate(MNIST.files, "auto", None)


def test_calibration_looks_at_the_first_1024_training_examples() -> None:
    dataset = MNIST.load("synthetic", None)
    assert torch.equal(MNIST.calibration(LAB2, dataset), MNIST.inputs(LAB2, dataset.train)[:1024])


def test_digits_are_not_augmented() -> None:
    with pytest.raises(NotImplementedError, match="the task mnist has no augmentation"):
        MNIST.augment(digits(torch.zeros(1, 28, 28)), torch.Generator())
