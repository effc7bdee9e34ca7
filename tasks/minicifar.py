"""MiniCIFAR: the first four classes of CIFAR-10, a fifth of the training images (IMT Atlantique's course).

Of each class the same positions are taken, drawn by ``RandomState(42)``; ``RandomState(69)`` then sets
a fifth of the 4,000 training images aside for validation. The 4,000 test images of the classes are all used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.tasks.cifar import CIFAR10_FILES, Cifar, resnets
from bench.tasks.dataset import Dataset
from bench.tasks.source import Source
from bench.tasks.task import TASKS

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = 4
REDUCTION = 5
TRAIN_SHARE = 0.8
EPOCHS = {8: 30, 14: 30, 20: 30, 26: 30}


def subset(labels: Tensor, reduction: int) -> Tensor:
    """Return the indices of the subset, class after class: a 1/``reduction`` part of each of the 4 classes."""
    import numpy as np
    import torch

    per_class = int((labels == 0).sum())
    positions = np.random.RandomState(42).choice(per_class, per_class // reduction, replace=False)
    return torch.cat([(labels == label).nonzero()[:, 0][torch.from_numpy(positions)] for label in range(CLASSES)])


def training_part(examples: int) -> Tensor:
    """Return which of the subset's examples are trained on; the rest is for validation."""
    import numpy as np
    import torch

    order = np.arange(examples)
    np.random.RandomState(69).shuffle(order)
    return torch.from_numpy(order[: int(TRAIN_SHARE * examples)])


class MiniCifar(Cifar):
    """Small enough to train a ResNet on in minutes."""

    def read(self, source: Source) -> Dataset:
        """Read CIFAR-10 and keep the subset."""
        whole = super().read(source)
        train = whole.train[subset(whole.train.labels, REDUCTION)]
        return Dataset(
            train=train[training_part(len(train))],
            test=whole.test[subset(whole.test.labels, reduction=1)],
            kind=whole.kind,
            fingerprint=whole.fingerprint,
            description=whole.description,
        )


MINICIFAR = TASKS.add(MiniCifar("minicifar", CIFAR10_FILES, resnets(classes=CLASSES, epochs=EPOCHS)))
MINICIFAR.title = "MiniCIFAR"
