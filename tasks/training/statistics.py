"""BatchNorm's statistics, taken anew over training examples once the weights are final."""

from __future__ import annotations

import torch
from torch import Generator, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.tasks.task import TrainingForm

BATCHES = 100
"""Of the recipe's size; their means and variances differ by far less than those of single batches."""


def reestimate(form: TrainingForm, module: nn.Module, generator: Generator) -> None:
    """Replace running means and variances by their averages over batches, augmented as in training; weights stay.

    ``module`` must be in training mode, in which a low-bit network computes with its quantized weights.
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then takes the average of all batches alike
    size = form.spec.recipe.batch_size
    order = torch.randperm(len(form.train), generator=generator, device=generator.device)
    # The last batch of an epoch may be small, and would count as much as the others.
    whole = [index for index in torch.split(order, size) if len(index) == min(size, len(form.train))]
    with torch.no_grad():
        for index in whole[:BATCHES]:
            module(*form.batch(index, generator))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
