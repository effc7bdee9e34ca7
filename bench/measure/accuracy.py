"""Top-1 accuracy on a whole test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from bench.result import Accuracy


def count_correct(forward: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]) -> Accuracy:
    """Count right answers over batches of ``(inputs, labels)``.

    Raises ``ValueError`` for logits that are not ``(batch, classes)`` or not numbers: an argmax of
    NaN is an answer too, and sometimes a right one.
    """
    correct = total = 0
    with torch.inference_mode():
        for inputs, labels in batches:
            logits = forward(inputs)
            if logits.dim() != 2 or len(logits) != len(labels):
                raise ValueError(f"the logits have shape {tuple(logits.shape)}, not ({len(labels)}, classes)")
            if not logits.isfinite().all():
                raise ValueError("the logits are not finite numbers (NaN or infinity)")
            correct += int((logits.argmax(1) == labels).sum())
            total += len(labels)
    return Accuracy(correct=correct, total=total)
