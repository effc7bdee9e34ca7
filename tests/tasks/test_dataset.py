from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.tasks.dataset import Dataset, Split

dtypes = st.sampled_from([torch.uint8, torch.int32, torch.int64, torch.float32])


@st.composite
def tensors(draw: st.DrawFn, rows: int) -> Tensor:
    """A tensor of ``rows`` rows of small integers, of any kind and of one to three dimensions."""
    shape = (rows, *draw(st.lists(st.integers(0, 3), max_size=2)))
    seed = draw(st.integers(0, 99))
    return torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(seed)).to(draw(dtypes))


@st.composite
def splits(draw: st.DrawFn) -> Split:
    rows = draw(st.integers(0, 4))
    features = draw(st.dictionaries(st.sampled_from(["images", "tokens", "lengths"]), tensors(rows), min_size=1))
    return Split(features, torch.arange(rows))


datasets = st.builds(
    Dataset,
    train=splits(),
    test=splits(),
    kind=st.sampled_from(["real", "synthetic"]),
    fingerprint=st.text("0123456789abcdef", min_size=16, max_size=16),
    vocabulary=st.lists(st.text(), max_size=4).map(tuple),
    description=st.dictionaries(st.sampled_from(["title", "origin", "note"]), st.text()),
)


def same(first: Tensor, second: Tensor) -> bool:
    return first.dtype == second.dtype and torch.equal(first, second)


def assert_equal(first: Split, second: Split) -> None:
    assert same(first.labels, second.labels)
    assert first.features.keys() == second.features.keys()
    assert all(same(value, second.features[name]) for name, value in first.features.items())


@settings(deadline=None)
@given(datasets)
def test_a_data_set_is_the_same_after_saving_and_opening(
    tmp_path_factory: pytest.TempPathFactory, dataset: Dataset
) -> None:
    path = tmp_path_factory.mktemp("shared") / "data.safetensors"
    dataset.save(path)
    opened = Dataset.open(path)
    assert_equal(opened.train, dataset.train)
    assert_equal(opened.test, dataset.test)
    assert (opened.kind, opened.fingerprint) == (dataset.kind, dataset.fingerprint)
    assert opened.vocabulary == dataset.vocabulary
    assert opened.description == dataset.description


def test_a_transposed_tensor_is_saved_as_it_reads(tmp_path: Path) -> None:
    split = Split({"images": torch.arange(6).view(2, 3).t()}, torch.arange(3))
    Dataset(split, split[torch.arange(3)], "real", "0" * 16).save(tmp_path / "data")
    assert Dataset.open(tmp_path / "data").train.features["images"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_indexing_takes_examples_from_features_and_labels_alike() -> None:
    split = Split({"images": torch.tensor([[10], [11], [12]])}, torch.tensor([0, 1, 2]))
    picked = split[torch.tensor([2, 0])]
    assert picked.features["images"].tolist() == [[12], [10]]
    assert picked.labels.tolist() == [2, 0]


def test_the_length_is_the_number_of_examples() -> None:
    assert len(Split({"tokens": torch.zeros(5, 9)}, torch.zeros(5))) == 5


def test_a_split_is_moved_with_its_features_and_labels() -> None:
    moved = Split({"images": torch.zeros(2, 3)}, torch.zeros(2)).to(torch.device("meta"))
    assert {moved.features["images"].device.type, moved.labels.device.type} == {"meta"}
