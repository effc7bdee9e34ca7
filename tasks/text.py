"""Words and vocabulary as the lab takes them from torchtext; the only module that imports torchtext."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import cast

with warnings.catch_warnings():
    # torchtext 0.6.0 has two docstrings with escapes that newer Pythons warn of.
    warnings.simplefilter("ignore", SyntaxWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    from torchtext.data.utils import get_tokenizer
    from torchtext.vocab import Vocab

_basic_english = get_tokenizer("basic_english")


def words(sentence: str) -> list[str]:
    """Split a sentence into lower-case words by torchtext's ``basic_english``."""
    return cast("list[str]", _basic_english(sentence))


def vocabulary(sentences: Iterable[list[str]]) -> tuple[str, ...]:
    """Return the words by falling frequency; ``Vocab`` breaks ties alphabetically."""
    return tuple(Vocab(Counter(chain.from_iterable(sentences)), specials=()).itos)
