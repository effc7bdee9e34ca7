"""The training loop: batches by indexing tensors in memory, no per-sample Python."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.tasks.errors import TrainingError
from bench.tasks.task import Precision, Recipe, TrainingForm
from bench.tasks.training.compiled import compile_module
from bench.tasks.training.distillation import Distillation
from bench.tasks.training.gradients import Gradients, RecordedGradients
from bench.tasks.training.resume import Trainee
from bench.tasks.training.statistics import reestimate

SAVE_EVERY_S = 10.0
"""The least time between two savings of an unfinished training."""
CHECK_EVERY = 25
"""Steps between looks at the losses: reading them waits for the device."""

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


class Epoch(NamedTuple):
    """One pass over the training examples."""

    loss: float
    """The mean over its batches, each as it was before its step."""
    seconds: float
    """Since the training began, of all its sessions."""


class Trained(NamedTuple):
    """What came of a training."""

    network: nn.Module
    """In its plain form and in eval mode."""
    seconds: float
    """Of all its sessions."""
    history: tuple[Epoch, ...]


def train(
    form: TrainingForm,
    precision: Precision,
    seed: int,
    device: torch.device,
    progress: Progress = lambda done, total: None,
    distillation: Distillation | None = None,
    state: Path | None = None,
) -> Trained:
    """Train the form's module on its training split and return the plain network in eval mode.

    ``form.train`` and ``form.module`` must be on ``device``. A module's method ``after_step``, where it has one, is
    called after each step. With a file ``state`` the training is saved between epochs and goes on from it if it is
    there; who keeps the result removes it. Raises ``TrainingError`` if the loss is not finite, and ``OSError`` if the
    state cannot be written. Deterministic for a seed, a device and a number of threads, interrupted or not.
    """
    recipe = form.spec.recipe
    module = form.module.train()
    optimizer = _optimizer(recipe, _groups(recipe, module))
    after_step = [hook for part in module.modules() if (hook := getattr(part, "after_step", None)) is not None]
    steps_per_epoch = math.ceil(len(form.train) / recipe.batch_size)
    total = recipe.epochs * steps_per_epoch
    schedule = _schedule(recipe, optimizer, total)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    generator = torch.Generator(device=device).manual_seed(seed)
    trainee = Trainee(module, optimizer, schedule, scaler, generator)
    gradients = _gradients(recipe, module, device, precision, scaler, distillation)
    history = [Epoch(*epoch) for epoch in trainee.restore(state)] if state is not None else []
    before_s = history[-1].seconds if history else 0.0
    step = len(history) * steps_per_epoch
    start = saved = time.monotonic()
    for epoch in range(len(history), recipe.epochs):
        losses: list[Tensor] = []
        order = torch.randperm(len(form.train), generator=generator, device=device)
        for index in torch.split(order, recipe.batch_size):
            inputs = form.batch(index, generator)
            losses.append(gradients.take(inputs, form.train.labels[index]))
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            for hook in after_step:
                hook()
            step += 1
            if step % CHECK_EVERY == 0 or len(losses) == steps_per_epoch:
                _require_finite(losses[-CHECK_EVERY:], form, precision, step, steps_per_epoch)
            if step % CHECK_EVERY == 0 or step == total:
                progress(step, total)
        now = time.monotonic()
        history.append(Epoch(torch.stack(losses).mean().item(), before_s + now - start))
        if state is not None and now - saved >= SAVE_EVERY_S and epoch + 1 < recipe.epochs and _finite(module):
            trainee.save(state, history)
            saved = now
    if recipe.reestimate:
        with _autocast(device, precision):
            reestimate(form, module, generator)
    with torch.no_grad():  # the last step has not been looked at: its loss was taken before it
        loss = F.cross_entropy(module.eval()(*inputs), form.train.labels[index])
    _require_finite([loss], form, precision, step, steps_per_epoch)
    return Trained(form.finish().eval(), before_s + time.monotonic() - start, tuple(history))


def _gradients(
    recipe: Recipe,
    module: nn.Module,
    device: torch.device,
    precision: Precision,
    scaler: torch.amp.GradScaler,
    distillation: Distillation | None,
) -> Gradients:
    """Return what takes the gradients of a mean loss, under autocast where the precision asks for it."""
    on_gpu = device.type == "cuda"  # where a recorded step is as fast without the compiler, and starts at once
    call = compile_module(module) if recipe.compiled and not on_gpu else module

    def loss(inputs: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        with _autocast(device, precision):
            logits = call(*inputs)
            return distillation.loss(logits, labels, inputs) if distillation else F.cross_entropy(logits, labels)

    def backward(value: Tensor) -> None:
        torch.autograd.backward(scaler.scale(value))

    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if recipe.compiled and on_gpu and not scaler.is_enabled():
        return RecordedGradients(loss, backward, parameters, recipe.batch_size)
    return Gradients(loss, backward, parameters)


def _autocast(device: torch.device, precision: Precision) -> torch.autocast:
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "float32")


def _require_finite(
    losses: Sequence[Tensor], form: TrainingForm, precision: Precision, step: int, steps_per_epoch: int
) -> None:
    """Raise ``TrainingError`` that names the first loss that is no number; ``step`` is the last one's."""
    values = torch.stack(list(losses)).cpu()
    bad = (~values.isfinite()).nonzero()
    if len(bad):
        first = int(bad[0])
        epoch, within = divmod(step - len(losses) + first, steps_per_epoch)
        raise TrainingError(
            f"the training of {form.task.name}/{form.spec.name} ({precision}) diverged: the loss is "
            f"{values[first].item()} in epoch {epoch + 1}, step {within + 1}; try another --seed."
        )


def _finite(module: nn.Module) -> bool:
    """Return whether all weights are finite: a saved state must be one that can be resumed."""
    return all(bool(value.isfinite().all()) for value in module.state_dict().values())


def _groups(recipe: Recipe, module: nn.Module) -> list[dict[str, Any]]:
    """Return parameters by learning rate: one with ``learning_rate_scale`` learns so many times as fast.

    With SGD the square of the scale counts, because Adam's steps do not grow with the gradient and SGD's do.
    """
    power = 1 if recipe.optimizer == "adam" else 2
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if parameter.requires_grad:
            scale: float = getattr(parameter, "learning_rate_scale", 1.0) ** power
            groups.setdefault(scale, []).append(parameter)
    return [{"params": part, "lr": scale * recipe.learning_rate} for scale, part in groups.items()]


def _optimizer(recipe: Recipe, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
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
    """Return the schedule over ``steps`` steps; all but ``one-cycle`` start at the recipe's learning rate.

    ``cosine`` falls to zero (Loshchilov and Hutter 2017, eq. 5, without restarts); ``steps`` falls to a tenth after
    half of the steps and to a hundredth after three quarters (He et al. 2016, section 4.2).
    """
    if recipe.schedule != "one-cycle":
        shares: dict[str, Callable[[int], float]] = {
            "constant": lambda _: 1.0,
            "cosine": lambda step: (1 + math.cos(math.pi * step / steps)) / 2,
            "steps": lambda step: 0.1 ** (int(2 * step >= steps) + int(4 * step >= 3 * steps)),
        }
        return torch.optim.lr_scheduler.LambdaLR(optimizer, shares[recipe.schedule])
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=0.25,
        cycle_momentum=False,
    )
