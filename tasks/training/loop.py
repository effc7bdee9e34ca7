"""The training loop: batches by indexing tensors in memory, no per-sample Python."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.errors import TrainingError
from tasks.task import Precision, Recipe
from tasks.training.form import TrainingForm

CHECK_EVERY = 25
"""Steps between looks at the loss: reading it waits for the device."""

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


def train(
    form: TrainingForm,
    precision: Precision,
    seed: int,
    device: torch.device,
    progress: Progress = lambda done, total: None,
) -> nn.Module:
    """Train the form's module on its training split and return the plain network in eval mode.

    ``form.train`` and ``form.module`` must be on ``device``. Raises ``TrainingError`` if the loss
    is not finite. Deterministic for a seed, a device and a number of threads.
    """
    recipe = form.spec.recipe
    module = form.module.train()
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = _optimizer(recipe, parameters)
    examples = len(form.train)
    steps_per_epoch = math.ceil(examples / recipe.batch_size)
    total = recipe.epochs * steps_per_epoch
    schedule = _schedule(recipe, optimizer, total)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    autocast_dtype = torch.float16 if precision == "float16" else torch.bfloat16
    generator = torch.Generator(device=device).manual_seed(seed)
    step = 0
    for _ in range(recipe.epochs):
        order = torch.randperm(examples, generator=generator, device=device)
        for index in torch.split(order, recipe.batch_size):
            inputs = form.batch(index, generator)
            with torch.autocast(device.type, dtype=autocast_dtype, enabled=precision != "float32"):
                loss = F.cross_entropy(module(*inputs), form.train.labels[index])
            optimizer.zero_grad()
            torch.autograd.backward(scaler.scale(loss))
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            step += 1
            if step % CHECK_EVERY == 0 or step == total:
                _require_finite(loss, form, precision, step, steps_per_epoch)
                progress(step, total)
    with torch.no_grad():  # the last step has not been looked at: its loss was taken before it
        loss = F.cross_entropy(module.eval()(*inputs), form.train.labels[index])
    _require_finite(loss, form, precision, step, steps_per_epoch)
    return form.finish().eval()


def _require_finite(loss: Tensor, form: TrainingForm, precision: Precision, step: int, steps_per_epoch: int) -> None:
    if not math.isfinite(loss.item()):
        epoch, within = divmod(step - 1, steps_per_epoch)
        raise TrainingError(
            f"the training of {form.task.name}/{form.spec.name} ({precision}) diverged: the loss is "
            f"{loss.item()} in epoch {epoch + 1}, step {within + 1}; try another --seed."
        )


def _optimizer(recipe: Recipe, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    if recipe.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def _schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe.schedule == "constant":
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.learning_rate,
        total_steps=steps,
        pct_start=0.25,
        cycle_momentum=False,
    )
