from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from bench.tasks.dataset import DataKind, Dataset, Split
from bench.tasks.errors import DataError
from bench.tasks.source import Source
from bench.tasks.sst2 import ROWS, read_tsv
from bench.tasks.task import TASKS, ModelSpec
from bench.tasks.text import NO_WORD, known_words, vocabulary_size

SST2 = TASKS.get("sst2")
LAB1, LAB2 = SST2.models
HEADER = "sentence\tlabel\n"
TRAIN = HEADER + "a fine fine film\t1\na dull film\t0\na film\t1\n"
DEV = HEADER + "fine , very fine\t1\nunheard of\t0\n"


def written(root: Path, kind: DataKind = "synthetic", **files: str | bytes) -> Source:
    """GLUE's folder with the files ``train`` and ``dev`` as given."""
    folder = root / "SST-2"
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.tsv").write_bytes(content.encode() if isinstance(content, str) else content)
    return Source(kind, root, "written by a test", "0" * 16)


def sized(words: int) -> ModelSpec:
    """A model that counts the ``words`` most frequent words."""
    return replace(LAB1, hyperparameters={**LAB1.hyperparameters, "inputs": words})


def tokens(sentences: list[list[int]]) -> Split:
    rows = [torch.tensor(sentence, dtype=torch.int32) for sentence in sentences]
    padded = pad_sequence(rows, batch_first=True, padding_value=NO_WORD)
    return Split({"tokens": padded}, torch.zeros(len(rows), dtype=torch.int64))


@pytest.fixture
def small(tmp_path: Path) -> Dataset:
    return SST2.read(written(tmp_path, train=TRAIN, dev=DEV))


def test_sentences_are_split_into_words_and_labels(tmp_path: Path) -> None:
    sentences, labels = read_tsv(written(tmp_path, train=TRAIN), "train.tsv")
    assert sentences == [["a", "fine", "fine", "film"], ["a", "dull", "film"], ["a", "film"]]
    assert labels.tolist() == [1, 0, 1]
    assert labels.dtype == torch.int64


@pytest.mark.parametrize(
    "text",
    [TRAIN.replace("\n", "\r\n"), TRAIN.removesuffix("\n"), TRAIN.replace("film\t", "film \t")],
    ids=["Windows line ends", "no line end at the end", "GLUE's space before the tab"],
)
def test_copies_that_differ_in_white_space_read_the_same(tmp_path: Path, text: str) -> None:
    sentences, labels = read_tsv(written(tmp_path, train=text), "train.tsv")
    assert sentences[2] == ["a", "film"]
    assert labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "row",
    ["a film 1", "a film\t2", "a film\tgood", "a film\t", "\t1", "  \t1", "a\tfilm\t1", ""],
    ids=["no tab", "label 2", "label in words", "no label", "no sentence", "blank sentence", "two tabs", "blank"],
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path: Path, row: str) -> None:
    source = written(tmp_path, train=f"{HEADER}a fine film\t1\n{row}\na dull film\t0\n")
    with pytest.raises(DataError) as caught:
        read_tsv(source, "train.tsv")
    assert str(caught.value) == (
        f"{tmp_path / 'SST-2' / 'train.tsv'}, line 3: expected 'sentence<TAB>0 or 1', not {row!r}; "
        "fix or delete it and run again to download it, or use --data synthetic."
    )


def test_of_a_long_malformed_row_the_beginning_is_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"not '{'x' * 60}'; fix"):
        read_tsv(written(tmp_path, dev=HEADER + "x" * 500), "dev.tsv")


@pytest.mark.parametrize("header", ["", "a fine film\t1", "index\tsentence", "\ufeffsentence\tlabel"])
def test_a_file_without_the_header_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match=r"dev\.tsv, line 1: expected the header 'sentence<TAB>label'"):
        read_tsv(written(tmp_path, dev=f"{header}\na film\t1\n"), "dev.tsv")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path, dev=HEADER.encode() + "café\t1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"dev\.tsv is not UTF-8 text \(byte 18\); fix or delete it"):
        read_tsv(source, "dev.tsv")


def test_a_real_file_with_another_number_of_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.tsv is truncated or not GLUE's: it has 3 rows, GLUE's has 67,349;"):
        read_tsv(written(tmp_path, kind="real", train=TRAIN), "train.tsv")


def test_a_real_file_with_glues_number_of_rows_is_read(tmp_path: Path) -> None:
    source = written(tmp_path, kind="real", dev=HEADER + "a film\t1\n" * ROWS["dev.tsv"])
    assert len(read_tsv(source, "dev.tsv")[1]) == 872


def test_the_vocabulary_is_of_the_training_sentences_alone(small: Dataset) -> None:
    assert small.vocabulary == ("a", "film", "fine", "dull")


def test_counts_of_a_worked_example(small: Dataset) -> None:
    spec = SST2.resolve(LAB1, small)
    #                                                      a  film fine dull
    assert SST2.inputs(spec, small.train).tolist() == [[1, 1, 2, 0], [1, 1, 0, 1], [1, 1, 0, 0]]


def test_words_outside_the_vocabulary_are_not_counted(small: Dataset) -> None:
    spec = SST2.resolve(LAB1, small)
    assert SST2.inputs(spec, small.test).tolist() == [[0, 0, 2, 0], [0, 0, 0, 0]]


def test_a_model_may_count_only_the_most_frequent_words(small: Dataset) -> None:
    spec = SST2.resolve(sized(2), small)
    assert SST2.inputs(spec, small.train).tolist() == [[1, 1], [1, 1], [1, 1]]
    assert SST2.vocabulary(spec, small) == ["a", "film"]


@pytest.mark.parametrize(
    ("spec", "words", "expected"),
    [(LAB1, 4, 4), (LAB1, 6000, 6000), (LAB2, 4, 4), (LAB2, 6000, 5000)],
)
def test_the_data_decide_the_inputs_up_to_the_models_limit(spec: ModelSpec, words: int, expected: int) -> None:
    empty = tokens([[]])
    dataset = Dataset(empty, empty, "real", "0" * 16, vocabulary=tuple(map(str, range(words))))
    assert vocabulary_size(SST2.resolve(spec, dataset)) == expected


def test_an_unresolved_lab1_has_no_number_of_inputs() -> None:
    with pytest.raises(KeyError, match="inputs"):
        vocabulary_size(LAB1)


def test_a_number_of_words_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="inputs must be a number of words, not 'all'"):
        vocabulary_size(replace(LAB1, hyperparameters={"inputs": "all"}))


def test_padding_is_no_word() -> None:
    assert known_words(torch.tensor([0, 4, 5, NO_WORD]), size=5).tolist() == [True, True, False, False]


@settings(deadline=None)
@given(
    sentences=st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=6),
    words=st.integers(1, 10),
)
def test_the_counts_of_a_sentence_add_up_to_its_known_words(sentences: list[list[int]], words: int) -> None:
    counts = SST2.inputs(sized(words), tokens(sentences))
    assert counts.shape == (len(sentences), words)
    assert counts.sum(1).tolist() == [sum(token < words for token in sentence) for sentence in sentences]
