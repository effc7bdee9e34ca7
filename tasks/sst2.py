"""SST-2: the sentiment of film-review phrases (Socher et al. 2013), as GLUE publishes it.

Accuracy is on GLUE's dev set of 872 sentences, because the labels of its test set are not public.
A sentence is the vector of its word counts; words outside the vocabulary are not counted.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from bench.tasks import text
from bench.tasks.dataset import Dataset, Split
from bench.tasks.errors import DataError
from bench.tasks.source import DataFiles, Source
from bench.tasks.task import TASKS, ModelSpec, Recipe, Task
from bench.tasks.text import NO_WORD, known_words, vocabulary_size

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.tasks.task import TrainingForm

ROWS = {"train.tsv": 67_349, "dev.tsv": 872}
"""Of GLUE's files; another count means a truncated file."""
ZIP_MD5 = "9f81648d4199384278b86e315dac217c"


class Sst2Files(DataFiles):
    """GLUE's two labelled files. They are known by their rows: copies differ in line ends."""

    title = "SST-2 (GLUE)"
    folder = "SST-2"
    names = ("train.tsv", "dev.tsv")
    url = "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip"

    def download(self, root: Path) -> None:
        """Fetch GLUE's zip, check its md5, unpack the two files."""
        from torchvision.datasets.utils import download_url  # takes seconds, and only this needs it

        download_url(self.url, root, md5=ZIP_MD5)
        with zipfile.ZipFile(root / "SST-2.zip") as archive:
            for name in self.names:
                archive.extract(f"{self.folder}/{name}", root)

    def generate(self, root: Path) -> None:
        """Write sentences of numbered words."""
        from bench.tasks.standin import sentiment

        sentiment.write(root / self.folder)


class Sst2(Task):
    """Sentences as word counts for multilayer perceptrons."""

    name = "sst2"
    title = "SST-2"
    citation = "Socher et al.: Recursive deep models for semantic compositionality over a sentiment treebank, 2013"
    files = Sst2Files()
    models = (
        ModelSpec(
            name="lab1",
            network="mlp",
            description="MLP with 1 hidden layer of 512 on counts of the whole training vocabulary",
            recipe=Recipe(epochs=2, batch_size=100, optimizer="adam", learning_rate=0.001),
            hyperparameters={"hidden": [512], "classes": 2},
        ),
        ModelSpec(
            name="lab2",
            network="mlp",
            description="MLP with 3 hidden layers of 256 on counts of the 5,000 most frequent words",
            recipe=Recipe(epochs=2, batch_size=64, optimizer="adam", learning_rate=0.001),
            hyperparameters={"inputs": 5000, "hidden": [256, 256, 256], "classes": 2},
        ),
    )

    def read(self, source: Source) -> Dataset:
        """Read both files and make the vocabulary of the training sentences."""
        train_words, train_labels = read_tsv(source, "train.tsv")
        test_words, test_labels = read_tsv(source, "dev.tsv")
        vocabulary = text.vocabulary(train_words)
        index = {word: token for token, word in enumerate(vocabulary)}
        train, test = (
            Split(_features([[index[word] for word in words if word in index] for words in sentences]), labels)
            for sentences, labels in ((train_words, train_labels), (test_words, test_labels))
        )
        return Dataset(train, test, source.kind, source.fingerprint, vocabulary, self.describe(source))

    def resolve(self, spec: ModelSpec, dataset: Dataset) -> ModelSpec:
        """Fill in the vocabulary's size; a stand-in's vocabulary may be smaller than the model's limit."""
        size = len(dataset.vocabulary)
        if "inputs" in spec.hyperparameters:
            size = min(size, vocabulary_size(spec))
        return replace(spec, hyperparameters={**spec.hyperparameters, "inputs": size})

    def vocabulary(self, spec: ModelSpec, dataset: Dataset) -> list[str]:
        """Return the model's words by falling frequency."""
        return list(dataset.vocabulary[: vocabulary_size(spec)])

    def training_form(self, spec: ModelSpec, network: nn.Module, train: Split) -> TrainingForm:
        """Train in the embedding-sum form."""
        from bench.tasks.training.bag_of_words import BagOfWordsForm

        return BagOfWordsForm(self, spec, network, train)

    def inputs(self, spec: ModelSpec, split: Split) -> Tensor:
        """Return how often each word stands in each sentence, ``(n, vocabulary)``."""
        import torch

        tokens = split.features["tokens"]
        counts = torch.zeros(len(tokens), vocabulary_size(spec), device=tokens.device)
        known = known_words(tokens, counts.shape[1])
        rows = known.nonzero()[:, 0]
        return counts.index_put_((rows, tokens[known].long()), counts.new_ones(()), accumulate=True)


def read_tsv(source: Source, name: str) -> tuple[list[list[str]], Tensor]:
    """Return the words of each sentence and the labels, int64; raises ``DataError`` with file and line."""
    import torch

    path = source.root / Sst2Files.folder / name
    split_words = text.tokenizer()
    sentences, labels = [], []
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); {_AGAIN}") from error
    if lines[0].rstrip("\r") != "sentence\tlabel":
        raise DataError(f"{path}, line 1: expected the header 'sentence<TAB>label', not {lines[0][:60]!r}; {_AGAIN}")
    for number, line in enumerate(lines[1:], start=2):
        sentence, tab, label = line.rstrip("\r").rpartition("\t")
        if not tab or not sentence.strip() or "\t" in sentence or label not in ("0", "1"):
            raise DataError(f"{path}, line {number}: expected 'sentence<TAB>0 or 1', not {line[:60]!r}; {_AGAIN}")
        sentences.append(split_words(sentence))
        labels.append(int(label))
    if source.kind == "real" and len(labels) != ROWS[name]:
        raise DataError(
            f"{path} is truncated or not GLUE's: it has {len(labels):,} rows, GLUE's has {ROWS[name]:,}; {_AGAIN}"
        )
    return sentences, torch.tensor(labels)


_AGAIN = "fix or delete it and run again to download it, or use --data synthetic."


def _features(sentences: list[list[int]]) -> dict[str, Tensor]:
    """Pad to the longest sentence: int32 ``(n, words)``."""
    import torch

    lengths = torch.tensor([len(tokens) for tokens in sentences])
    padded = torch.full((len(sentences), int(lengths.max())), NO_WORD, dtype=torch.int32)
    words = torch.tensor(list(chain.from_iterable(sentences)), dtype=torch.int32)
    padded[torch.arange(padded.shape[1]) < lengths[:, None]] = words  # row by row, as the sentences are
    return {"tokens": padded}


TASKS.add(Sst2())
