"""The subset of the course, on labels as CIFAR-10 has them: 5,000 training and 1,000 test images of each class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.tasks.minicifar import subset, training_part
from bench.tasks.task import TASKS

MINICIFAR = TASKS.get("minicifar")


def shuffled_labels(per_class: int) -> Tensor:
    labels = torch.arange(10).repeat_interleave(per_class)
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


def test_a_fifth_of_the_training_images_of_four_classes_is_kept() -> None:
    labels = shuffled_labels(5000)
    kept = labels[subset(labels, reduction=5)]
    assert torch.bincount(kept).tolist() == [1000] * 4


def test_all_test_images_of_four_classes_are_kept() -> None:
    labels = shuffled_labels(1000)
    kept = subset(labels, reduction=1)
    assert sorted(kept.tolist()) == (labels < 4).nonzero()[:, 0].tolist()
    assert len(kept) == 4000


@pytest.mark.parametrize("label", range(4))
def test_the_same_positions_are_kept_of_each_class(label: int) -> None:
    labels = shuffled_labels(5000)
    of_class = (labels == label).nonzero()[:, 0]
    expected = np.random.RandomState(42).choice(5000, 1000, replace=False)
    kept = subset(labels, reduction=5)[1000 * label : 1000 * (label + 1)]
    assert torch.equal(kept, of_class[torch.from_numpy(expected)])


def test_the_first_positions_drawn() -> None:
    # numpy.random.RandomState(42).choice(5000, 1000, replace=False) is frozen by numpy's compatibility policy.
    labels = torch.arange(10).repeat_interleave(5000)
    assert subset(labels, reduction=5)[:5].tolist() == [1501, 2586, 2653, 1055, 705]


def test_four_fifths_of_the_subset_are_trained_on() -> None:
    part = training_part(4000)
    assert len(part) == 3200
    assert len(set(part.tolist())) == 3200
    assert part[:5].tolist() == [1130, 1875, 3301, 2220, 959]


def test_the_training_part_is_the_beginning_of_numpys_shuffle() -> None:
    order = np.arange(4000)
    np.random.RandomState(69).shuffle(order)
    assert training_part(4000).tolist() == order[:3200].tolist()


def test_the_data_set_has_images_of_four_classes() -> None:
    whole, mini = TASKS.get("cifar10").load("synthetic", None), MINICIFAR.load("synthetic", None)
    # The stand-in has 200 training and 40 test images of each class; 0.8 · 4 · 200 / 5 and 4 · 40 are kept.
    assert (len(mini.train), len(mini.test)) == (128, 160)
    assert set(mini.train.labels.tolist()) == set(mini.test.labels.tolist()) == {0, 1, 2, 3}
    assert mini.fingerprint == whole.fingerprint
    assert mini.description["title"] == "MiniCIFAR"


def test_its_models_have_four_classes() -> None:
    assert [spec.hyperparameters["classes"] for spec in MINICIFAR.models] == [4] * 4
