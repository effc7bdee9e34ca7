"""Words and vocabulary as the lab takes them from torchtext; the only module that imports torchtext."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from bench.tasks.task import ModelSpec


@cache
def tokenizer() -> Callable[[str], list[str]]:
    """Return torchtext's ``basic_english``: it splits a sentence into lower-case words."""
    with _torchtext_warnings_ignored():
        from torchtext.data.utils import get_tokenizer
    basic_english: Callable[[str], list[str]] = get_tokenizer("basic_english")
    return basic_english


def vocabulary(sentences: Iterable[list[str]]) -> tuple[str, ...]:
    """Return the words by falling frequency; ``Vocab`` breaks ties alphabetically."""
    with _torchtext_warnings_ignored():
        from torchtext.vocab import Vocab
    return tuple(Vocab(Counter(chain.from_iterable(sentences)), specials=()).itos)


@contextmanager
def _torchtext_warnings_ignored() -> Iterator[None]:
    """Torchtext 0.6.0 has docstrings with escapes that newer Pythons warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


NO_WORD = -1
"""Fills a sentence's row after its last word."""


def vocabulary_size(spec: ModelSpec) -> int:
    """Return the number of words, and inputs, of a resolved spec."""
    size = spec.hyperparameters["inputs"]
    if not isinstance(size, int):
        raise TypeError(f"inputs must be a number of words, not {size!r}")
    return size


def known_words(tokens: Tensor, size: int) -> Tensor:
    """Return which entries of ``tokens`` are words of a vocabulary of ``size`` (and not padding)."""
    return (tokens != NO_WORD) & (tokens < size)
