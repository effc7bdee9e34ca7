"""Sentences of numbered words, as many words as SST-2 has, in GLUE's tab-separated files.

A network on word counts is as large as the vocabulary, so models of the stand-in have the sizes and latencies of real
ones. Of the real data come the number of words, which torchtext finds in GLUE's training sentences, and the lengths,
which fall geometrically: mean 9.7 and median 7 words in training, mean 20 in the dev set. Frequencies follow Zipf's law
(1949): the r-th word occurs a constant over r times.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

WORDS = 14_760
"""Different words in the training sentences."""
MOST_FREQUENT = 5_300
"""Occurrences of the first word in training; the other words' follow, 58,000 in all."""
TRAIN, DEV = 6000, 872
"""Sentences."""
DEV_LENGTH = 20
"""Mean number of words in a sentence of the dev set."""
NEUTRAL = 20
"""So many of the most frequent words say nothing of the sentiment, as *the* and *of* do not."""
LEANING = 5
"""Of so many words after them, one leans to praise and one to blame."""
LEAN = 0.86
"""Share of such a word's occurrences that are in sentences of its side, so that no model is perfect."""


def occurrences() -> Tensor:
    """Return how often each word occurs in training, int64 ``(WORDS,)``: by Zipf's law, and at least once."""
    return (MOST_FREQUENT / torch.arange(1, WORDS + 1)).clamp(min=1).round().long()


def write(folder: Path) -> None:
    """Write ``train.tsv`` and ``dev.tsv`` with the header ``sentence<TAB>label``."""
    generator = torch.Generator().manual_seed(0)
    train = torch.arange(WORDS).repeat_interleave(occurrences())
    dev = torch.multinomial(occurrences().double(), DEV * DEV_LENGTH, replacement=True, generator=generator)
    for name, words, count in (("train.tsv", train, TRAIN), ("dev.tsv", dev, DEV)):
        lines = ["sentence\tlabel", *_sentences(words, count, generator)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sentences(words: Tensor, count: int, generator: torch.Generator) -> list[str]:
    """Divide ``words`` among ``count`` sentences, half of which praise, and return these with their labels."""
    side = (words - NEUTRAL) % LEANING
    praise = torch.full(words.shape, 0.5)
    praise[(words >= NEUTRAL) & (side == 0)] = LEAN
    praise[(words >= NEUTRAL) & (side == 1)] = 1 - LEAN
    labels = torch.rand(len(words), generator=generator) < praise
    lines = []
    for label in (0, 1):
        part = words[labels == label]
        part = part[torch.randperm(len(part), generator=generator)]
        ends = torch.randperm(len(part) - 1, generator=generator)[: count // 2 - 1].sort().values + 1
        for sentence in part.tensor_split(ends):
            lines.append(" ".join(f"word{number}" for number in sentence.tolist()) + f"\t{label}")
    return [lines[index] for index in torch.randperm(count, generator=generator).tolist()]
