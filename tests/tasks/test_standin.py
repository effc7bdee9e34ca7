"""What holds for the stand-ins of all tasks: real formats, no network, and labels that can be learnt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from bench.tasks.dataset import DataKind
from bench.tasks.errors import DataError
from bench.tasks.mnist import MnistFiles
from bench.tasks.source import Source, locate
from bench.tasks.standin import digits, sentiment, shapes
from bench.tasks.task import TASKS, Task
from bench.tasks.text import NO_WORD, known_words
from bench.tasks.training import loop

EVERY_TASK = pytest.mark.parametrize("task", list(TASKS), ids=lambda task: task.name)
CLASSES = {"mnist": 10, "sst2": 2, "cifar10": 10, "cifar100": 100, "minicifar": 4}


@EVERY_TASK
def test_without_data_and_network_every_task_has_a_stand_in_and_says_why(task: Task) -> None:
    dataset = task.load("auto", None)
    assert dataset.kind == "synthetic"
    assert f"{task.files.title} is not in " in dataset.description["note"]
    assert "tests have no network" in dataset.description["note"]


@EVERY_TASK
def test_without_data_and_network_no_task_has_real_data(task: Task) -> None:
    with pytest.raises(DataError, match=f"the download from {task.files.url} failed .*tests have no network"):
        task.load("real", None)


@pytest.mark.parametrize("name", ["mnist", "sst2", "cifar10", "cifar100"])
def test_a_stand_in_is_the_same_wherever_it_is_generated(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = []
    for folder in ("here", "there"):
        monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / folder))
        sources.append(locate(TASKS.get(name).files, "synthetic", None))
    assert sources[0].fingerprint == sources[1].fingerprint


@EVERY_TASK
@pytest.mark.parametrize("part", ["train", "test"])
def test_every_class_is_in_both_parts(task: Task, part: str) -> None:
    dataset = task.load("synthetic", None)
    labels = (dataset.train if part == "train" else dataset.test).labels
    assert labels.dtype == torch.int64
    assert set(labels.tolist()) == set(range(CLASSES[task.name]))


@EVERY_TASK
def test_every_model_takes_the_inputs_of_the_stand_in(task: Task) -> None:
    dataset = task.load("synthetic", None)
    for unresolved in task.models:
        spec = task.resolve(unresolved, dataset)
        inputs = task.inputs(spec, dataset.test[torch.arange(2)])
        assert inputs.dtype == torch.float32
        assert spec.build().eval()(inputs).shape == (2, CLASSES[task.name])


@EVERY_TASK
def test_a_data_set_says_where_it_came_from(task: Task) -> None:
    description = task.load("synthetic", None).description
    assert description["title"] == task.title
    assert description["origin"].startswith(f"synthetic stand-in for {task.files.title}")
    assert description["citation"] == task.citation


def test_the_digits_are_idx_files_that_torchvision_reads() -> None:
    source = locate(MnistFiles(), "synthetic", None)
    for train, count in ((True, digits.TRAIN), (False, digits.TEST)):
        data = torchvision.datasets.MNIST(source.root, train=train)
        assert data.data.shape == (count, 28, 28)
        assert data.data.dtype == torch.uint8


def test_a_digit_is_bright_ink_on_a_dark_ground() -> None:
    images = digits.draw(torch.arange(10), torch.Generator().manual_seed(0))
    assert images.shape == (10, 28, 28)
    assert all(image.max() > 150 and image.float().median() < 50 for image in images)


def test_sentences_have_the_lengths_of_sst2s() -> None:
    dataset = TASKS.get("sst2").load("synthetic", None)
    assert (len(dataset.train), len(dataset.test)) == (sentiment.TRAIN, sentiment.DEV)
    train, test = (known_words(split.features["tokens"], 14_760).sum(1) for split in (dataset.train, dataset.test))
    assert train.double().mean().item() == pytest.approx(9.7, abs=0.1)
    assert train.median() == 7
    assert test.double().mean().item() == pytest.approx(20.2, abs=0.3)


def test_words_follow_zipfs_law() -> None:
    dataset = TASKS.get("sst2").load("synthetic", None)
    tokens = dataset.train.features["tokens"]
    counts = tokens[tokens != NO_WORD].bincount().sort(descending=True).values
    assert len(counts) == len(dataset.vocabulary) == 14_760
    assert [counts[rank - 1] * rank for rank in (1, 10, 100)] == pytest.approx([sentiment.MOST_FREQUENT] * 3, rel=0.01)
    assert counts[-1] == 1


@pytest.mark.parametrize(("model", "parameters"), [("lab1", 7_558_658), ("lab2", 1_412_354)])
def test_models_of_sentences_have_the_parameters_that_they_have_on_real_data(model: str, parameters: int) -> None:
    sst2 = TASKS.get("sst2")
    spec = next(spec for spec in sst2.models if spec.name == model)
    resolved = sst2.resolve(spec, sst2.load("synthetic", None))
    with torch.device("meta"):
        network = resolved.build()
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("model", ["lab1", "lab2"])
def test_sentiment_can_be_learnt_and_not_wholly(model: str) -> None:
    sst2 = TASKS.get("sst2")
    dataset = sst2.load("synthetic", None)
    spec = sst2.resolve(next(spec for spec in sst2.models if spec.name == model), dataset)
    torch.manual_seed(0)
    form = sst2.training_form(spec, spec.build(), dataset.train)
    network = loop.train(form, "float32", 0, torch.device("cpu")).network
    with torch.no_grad():
        right = network(sst2.inputs(spec, dataset.test)).argmax(1) == dataset.test.labels
    assert 0.7 < right.double().mean().item() < 0.95


@pytest.mark.parametrize("shape", range(10))
def test_a_shape_covers_part_of_its_image(shape: int) -> None:
    axis = torch.linspace(-1.2, 1.2, shapes.SIDE)
    x, y = torch.meshgrid(axis, axis, indexing="xy")
    covered = shapes.inside(torch.tensor([shape]), x.unsqueeze(0), y.unsqueeze(0)).float().mean()
    assert 0.1 < covered < 0.7


def test_the_ten_shapes_are_different() -> None:
    axis = torch.linspace(-1, 1, shapes.SIDE)
    x, y = (grid.expand(10, -1, -1) for grid in torch.meshgrid(axis, axis, indexing="xy"))
    masks = shapes.inside(torch.arange(10), x, y)
    assert len({mask.numpy().tobytes() for mask in masks}) == 10


@pytest.mark.parametrize(
    ("name", "train", "test"), [("cifar10", 2000, 400), ("cifar100", 2000, 400), ("minicifar", 128, 160)]
)
def test_shapes_are_colour_images_of_32x32(name: str, train: int, test: int) -> None:
    dataset = TASKS.get(name).load("synthetic", None)
    assert dataset.train.features["images"].shape == (train, 3, 32, 32)
    assert dataset.test.features["images"].shape == (test, 3, 32, 32)
    assert dataset.train.features["images"].dtype == torch.uint8


KINDS: tuple[DataKind, ...] = ("real", "synthetic")


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_the_source_is_the_kind_of_the_data_set(kind: DataKind) -> None:
    mnist = TASKS.get("mnist")
    source = locate(mnist.files, "synthetic", None)
    assert mnist.read(Source(kind, source.root, source.origin, source.fingerprint)).kind == kind
