"""The embedding-sum form of a multilayer perceptron is the same function as the plain one on word counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from bench.models.mlp import MLP
from bench.tasks.dataset import Split
from bench.tasks.task import TASKS, Recipe, TrainingForm
from bench.tasks.text import NO_WORD
from bench.tasks.training.bag_of_words import BagOfWordsForm
from bench.tasks.training.loop import train

WORDS = 8
SST2 = TASKS.get("sst2")
SPEC = replace(
    SST2.models[0],
    recipe=Recipe(epochs=2, batch_size=4, optimizer="adam", learning_rate=0.01),
    hyperparameters={"inputs": WORDS, "hidden": [16, 8], "classes": 2},
)
CPU = torch.device("cpu")
TOKENS = st.lists(st.lists(st.integers(0, WORDS + 3), max_size=6), min_size=1, max_size=9)
"""Sentences of known words, of words beyond the model's vocabulary, and of none at all."""


def split_of(sentences: list[list[int]]) -> Split:
    rows = [torch.tensor(sentence, dtype=torch.int32) for sentence in sentences]
    labels = torch.tensor([len(sentence) % 2 for sentence in sentences])
    return Split({"tokens": pad_sequence(rows, batch_first=True, padding_value=NO_WORD)}, labels)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return SPEC.build()


def logits(form: TrainingForm) -> Tensor:
    """The form's logits for all its training examples."""
    result: Tensor = form.module(*form.batch(torch.arange(len(form.train)), torch.Generator()))
    return result


@settings(deadline=None)
@given(TOKENS)
def test_before_training_the_logits_are_those_of_the_plain_network(sentences: list[list[int]]) -> None:
    plain, split = network(), split_of(sentences)
    form = SST2.training_form(SPEC, plain, split)
    torch.testing.assert_close(logits(form), plain(SST2.inputs(SPEC, split)))


@settings(deadline=None, max_examples=20)
@given(TOKENS)
def test_after_training_the_finished_network_has_the_forms_logits(sentences: list[list[int]]) -> None:
    split = split_of(sentences)
    form = SST2.training_form(SPEC, network(), split)
    trained = train(form, "float32", seed=0, device=CPU).network
    assert isinstance(trained, MLP)
    torch.testing.assert_close(trained(SST2.inputs(SPEC, split)), logits(form))


def test_training_either_form_gives_the_same_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    split = split_of(torch.randint(0, WORDS + 2, (32, 5), generator=generator).tolist())
    spec = replace(SPEC, recipe=replace(SPEC.recipe, optimizer="sgd", learning_rate=0.1, momentum=0.9))
    cheap = train(BagOfWordsForm(SST2, spec, network(), split), "float32", seed=0, device=CPU).network
    plain = train(TrainingForm(SST2, spec, network(), split), "float32", seed=0, device=CPU).network
    torch.testing.assert_close(cheap.state_dict(), plain.state_dict())
    assert not torch.equal(plain.state_dict()["layers.0.weight"], network().state_dict()["layers.0.weight"])


def test_the_forms_parameters_are_as_many_as_the_networks() -> None:
    form = SST2.training_form(SPEC, network(), split_of([[0]]))
    expected = sum(parameter.numel() for parameter in network().parameters())
    assert sum(parameter.numel() for parameter in form.module.parameters()) == expected


def test_a_batch_is_the_known_words_and_where_each_sentence_starts() -> None:
    form = SST2.training_form(SPEC, network(), split_of([[1, 2, 3], [], [4, WORDS, 5]]))
    words, starts = form.batch(torch.tensor([2, 1, 0]), torch.Generator())
    assert words.tolist() == [4, 5, 1, 2, 3]
    assert starts.tolist() == [0, 2, 2]


def test_only_a_multilayer_perceptron_has_this_form() -> None:
    with pytest.raises(TypeError, match="word counts are for an MLP, not for a Linear"):
        BagOfWordsForm(SST2, SPEC, nn.Linear(WORDS, 2), split_of([[0]]))
