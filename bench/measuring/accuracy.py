"""Top-1 answers to a whole test set, and how many are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from bench.results.evaluation import Evaluation
from bench.results.row import Accuracy


def evaluate(forward: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]) -> Evaluation:
    """Answer batches of ``(inputs, labels)``.

    Raises ``ValueError`` for logits that are not ``(batch, classes)`` or not numbers: an argmax of
    NaN is an answer too, and sometimes a right one.
    """
    answers, right = [], []
    with torch.inference_mode():
        for inputs, labels in batches:
            logits = forward(inputs)
            if not isinstance(logits, Tensor):
                raise ValueError(f"the model returned {type(logits).__name__}, not a tensor of logits")
            if logits.dim() != 2 or len(logits) != len(labels):
                raise ValueError(f"the logits have shape {tuple(logits.shape)}, not ({len(labels)}, classes)")
            if not logits.isfinite().all():
                raise ValueError("the logits are not finite numbers (NaN or infinity)")
            answer = logits.argmax(1)
            answers.append(answer.to("cpu", torch.int16))
            right.append((answer == labels).cpu())
    all_right = torch.cat(right)
    return Evaluation(
        accuracy=Accuracy(correct=int(all_right.sum()), total=len(all_right)),
        answers=torch.cat(answers).numpy(),
        right=all_right.numpy(),
    )
