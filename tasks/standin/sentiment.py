"""Sentences of a small grammar with praise or blame in them, in GLUE's tab-separated files."""

from __future__ import annotations

import random
from pathlib import Path

TRAIN, DEV = 6000, 872
SUBJECTS = [
    "the film",
    "this movie",
    "the plot",
    "the cast",
    "her performance",
    "the script",
    "the director 's eye",
    "it",
    "the ending",
]
PRAISE = [
    "moving",
    "funny",
    "charming",
    "clever",
    "gripping",
    "tender",
    "fresh",
    "warm",
    "sharp",
    "lovely",
    "wise",
    "thrilling",
]
BLAME = [
    "dull",
    "clumsy",
    "tired",
    "bland",
    "shallow",
    "lazy",
    "tedious",
    "messy",
    "hollow",
    "stale",
    "forced",
    "dreary",
]
ADVERBS = ["often", "quietly", "rather", "truly", "surprisingly", "always", "", "", "", ""]
FILLERS = [
    "in its second half",
    "for most of its length",
    "despite the budget",
    "from start to finish",
    "again",
    "",
    "",
    "",
]
LABEL_NOISE = 0.04
"""Share of sentences with the wrong label, so that no model is perfect."""


def sentence(label: int, rng: random.Random) -> str:
    """Return one sentence; half of them turn around at a "but", and the last clause decides."""

    def clause(positive: bool) -> list[str]:
        negated = rng.random() < 0.2
        words = PRAISE if positive != negated else BLAME
        return [
            rng.choice(SUBJECTS),
            "is",
            *(["not"] if negated else []),
            rng.choice(ADVERBS),
            rng.choice(words),
        ]

    positive = label == 1
    parts = clause(positive)
    if rng.random() < 0.5:
        turn = rng.random() < 0.3
        parts = [*clause(positive != turn), "but" if turn else "and", *parts]
    return " ".join(part for part in [*parts, rng.choice(FILLERS), "."] if part)


def write(folder: Path) -> None:
    """Write ``train.tsv`` and ``dev.tsv`` with the header ``sentence<TAB>label``."""
    rng = random.Random(0)
    for name, count in (("train.tsv", TRAIN), ("dev.tsv", DEV)):
        lines = ["sentence\tlabel"]
        for _ in range(count):
            label = rng.randrange(2)
            shown = 1 - label if rng.random() < LABEL_NOISE else label
            lines.append(f"{sentence(label, rng)}\t{shown}")
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
