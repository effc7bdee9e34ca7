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
    passes = _Passes(form, precision, seed, device, progress, distillation)
    history = passes.restore(state) if state is not None else []
    before_s = history[-1].seconds if history else 0.0
    start = saved = time.monotonic()
    for epoch in range(len(history), recipe.epochs):
        loss = passes.over_examples()
        now = time.monotonic()
        history.append(Epoch(loss, before_s + now - start))
        if state is not None and now - saved >= SAVE_EVERY_S and epoch + 1 < recipe.epochs and _finite(form.module):
            passes.trainee.save(state, history)
            saved = now
    passes.finish()
    return Trained(form.finish().eval(), before_s + time.monotonic() - start, tuple(history))


class _Passes:
    """Passes over the training examples, and what they go on from: weights, optimizer, schedule and random numbers."""

    def __init__(
        self,
        form: TrainingForm,
        precision: Precision,
        seed: int,
        device: torch.device,
        progress: Progress,
        distillation: Distillation | None,
    ) -> None:
        recipe, module = form.spec.recipe, form.module.train()
        self._form, self._precision, self._device, self._progress = form, precision, device, progress
        self._optimizer = _optimizer(recipe, _groups(recipe, module))
        self._after_step = [
            hook for part in module.modules() if (hook := getattr(part, "after_step", None)) is not None
        ]
        self._steps_per_epoch = math.ceil(len(form.train) / recipe.batch_size)
        self._total = recipe.epochs * self._steps_per_epoch
        self._schedule = _schedule(recipe, self._optimizer, self._total)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._gradients = _gradients(recipe, module, device, precision, self._scaler, distillation)
        self._step = 0
        self._batch: tuple[tuple[Tensor, ...], Tensor] | None = None
        """The last one: inputs and labels."""
        self.trainee = Trainee(module, self._optimizer, self._schedule, self._scaler, self._generator)
        """What is saved between passes."""

    def restore(self, state: Path) -> list[Epoch]:
        """Go on from a saved state, where there is one, and return the epochs before it."""
        history = [Epoch(*epoch) for epoch in self.trainee.restore(state)]
        self._step = len(history) * self._steps_per_epoch
        return history

    def over_examples(self) -> float:
        """Take one step for each batch, in a random order, and return the mean loss."""
        form, losses = self._form, list[Tensor]()
        order = torch.randperm(len(form.train), generator=self._generator, device=self._device)
        for index in torch.split(order, form.spec.recipe.batch_size):
            self._batch = form.batch(index, self._generator), form.train.labels[index]
            losses.append(self._gradients.take(*self._batch))
            self._scaler.step(self._optimizer)
            self._scaler.update()
            self._schedule.step()
            for hook in self._after_step:
                hook()
            self._step += 1
            if self._step % CHECK_EVERY == 0 or len(losses) == self._steps_per_epoch:
                self._require_finite(losses[-CHECK_EVERY:])
            if self._step % CHECK_EVERY == 0 or self._step == self._total:
                self._progress(self._step, self._total)
        return torch.stack(losses).mean().item()

    def finish(self) -> None:
        """Leave the module in eval mode, with statistics estimated anew where the recipe asks for it.

        The last step has not been looked at: its loss was taken before it. Raises ``TrainingError`` as a pass does.
        """
        form = self._form
        if form.spec.recipe.reestimate:
            with _autocast(self._device, self._precision):
                reestimate(form, form.module, self._generator)
        form.module.eval()
        if self._batch is not None:
            inputs, labels = self._batch
            with torch.no_grad():
                self._require_finite([F.cross_entropy(form.module(*inputs), labels)])

    def _require_finite(self, losses: Sequence[Tensor]) -> None:
        """Raise ``TrainingError`` that names the first of the last losses that is no number."""
        values = torch.stack(list(losses)).cpu()
        bad = (~values.isfinite()).nonzero()
        if len(bad):
            first = int(bad[0])
            epoch, within = divmod(self._step - len(losses) + first, self._steps_per_epoch)
            raise TrainingError(
                f"the training of {self._form.task.name}/{self._form.spec.name} ({self._precision}) diverged: the loss "
                f"is {values[first].item()} in epoch {epoch + 1}, step {within + 1}; try another --seed."
            )


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
