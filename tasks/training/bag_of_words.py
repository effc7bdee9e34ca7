"""The cheap form of a multilayer perceptron on word counts."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from bench.models.mlp import MLP
from bench.tasks.dataset import Split
from bench.tasks.task import ModelSpec, Task, TrainingForm
from bench.tasks.text import known_words, vocabulary_size


class BagOfWordsForm(TrainingForm):
    """Trains the first Linear as an embedding that is summed over a sentence's words.

    ``counts @ weight.T`` is the sum of the weight's columns over the words of the sentence, so the
    logits are equal and nothing of the size of the vocabulary is multiplied.
    """

    def __init__(self, task: Task, spec: ModelSpec, network: nn.Module, train: Split) -> None:
        super().__init__(task, spec, network, train)
        if not isinstance(network, MLP):
            raise TypeError(f"word counts are for an MLP, not for a {type(network).__name__}")
        self._module = _EmbeddedMLP(network)

    @property
    def module(self) -> nn.Module:
        """The embedding, its bias and the layers after it."""
        return self._module

    def batch(self, index: Tensor, generator: Generator) -> tuple[Tensor, ...]:
        """Return the batch's tokens, ``(words,)``, and where each sentence starts, ``(batch,)``."""
        tokens = self.train.features["tokens"][index]
        known = known_words(tokens, vocabulary_size(self.spec))
        lengths = known.sum(1, dtype=tokens.dtype)
        return tokens[known], lengths.cumsum(0, dtype=tokens.dtype) - lengths

    def finish(self) -> nn.Module:
        """Put the embedding back as the first Linear's weight."""
        return self._module.as_mlp()


class _EmbeddedMLP(nn.Module):
    def __init__(self, network: MLP) -> None:
        super().__init__()
        first = network.layers[0]
        assert isinstance(first, nn.Linear)  # noqa: S101
        self.embedding = nn.Parameter(first.weight.detach().t().contiguous())  # (vocabulary, hidden)
        self.embedding.__dict__.update(first.weight.__dict__)  # such as its learning_rate_scale
        self.bias = first.bias
        self.rest = network.layers[1:]
        self._plain = [network]  # in a list, so that its first weight is not optimized as well

    def forward(self, tokens: Tensor, starts: Tensor) -> Tensor:
        # A low-bit layer makes the weights it multiplies by of those it holds.
        quantize: Callable[[Tensor], Tensor] | None = getattr(self._plain[0].layers[0], "quantize", None)
        embedding = self.embedding if quantize is None else quantize(self.embedding.t()).t()
        hidden = F.embedding_bag(tokens, embedding, starts, mode="sum") + self.bias
        logits: Tensor = self.rest(hidden)
        return logits

    def after_step(self) -> None:
        """Do to the embedding what the first layer does to its weight."""
        after_step: Callable[[Tensor], None] | None = getattr(self._plain[0].layers[0], "after_step", None)
        if after_step is not None:
            after_step(self.embedding)

    def as_mlp(self) -> MLP:
        network = self._plain[0]
        first = network.layers[0]
        assert isinstance(first, nn.Linear)  # noqa: S101
        with torch.no_grad():
            first.weight.copy_(self.embedding.t())
        return network
