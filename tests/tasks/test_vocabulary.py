from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.tasks.text import tokenizer, vocabulary

words = st.sampled_from(["ant", "bee", "cat", "dog", "eel", "'s", ",", "é"])
sentences = st.lists(st.lists(words, max_size=8), max_size=8)


def test_words_are_lower_case_and_punctuation_stands_alone() -> None:
    assert tokenizer()("It's a Fine, FINE film.") == ["it", "'", "s", "a", "fine", ",", "fine", "film", "."]


def test_words_come_by_falling_frequency_and_ties_alphabetically() -> None:
    assert vocabulary([["b", "c", "a"], ["c", "d"], ["c", "b"]]) == ("c", "b", "a", "d")


@given(sentences)
def test_the_order_is_a_rule_of_counts_and_words_alone(sentences: list[list[str]]) -> None:
    counts = Counter(word for sentence in sentences for word in sentence)
    assert vocabulary(sentences) == tuple(sorted(counts, key=lambda word: (-counts[word], word)))


@given(sentences, st.randoms(use_true_random=False))
def test_the_order_of_the_sentences_does_not_matter(sentences: list[list[str]], rng: random.Random) -> None:
    shuffled = rng.sample(sentences, len(sentences))
    assert vocabulary(shuffled) == vocabulary(sentences)
