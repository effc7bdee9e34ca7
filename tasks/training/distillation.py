"""Learning from a teacher beside the labels (Hinton, Vinyals and Dean 2015; Mirzadeh et al. 2020, eq. 1 to 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Distillation:
    """``L = (1 − λ) CE(student, labels) + λ τ² KL(teacher_τ ‖ student_τ)``, both means over the batch.

    ``_τ`` is the softmax of logits divided by the temperature τ. The mean is over examples and not over classes too:
    torch's ``reduction="mean"`` would divide λ by the number of classes.
    """

    teacher: nn.Module
    """On the student's device; called with what the student is called with."""
    weight: float
    """λ, from 0 to 1."""
    temperature: float

    def loss(self, logits: Tensor, labels: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of the student's ``logits``, ``(batch, classes)``, for ``inputs``."""
        with torch.no_grad():
            targets = self.teacher(*inputs)
        divergence = F.kl_div(
            F.log_softmax(logits.float() / self.temperature, dim=1),
            F.log_softmax(targets.float() / self.temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        supervised = F.cross_entropy(logits, labels)
        return (1 - self.weight) * supervised + self.weight * self.temperature**2 * divergence
