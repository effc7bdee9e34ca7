"""The training loop, on points around two centres and on the stand-in for MNIST."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from bench.tasks.dataset import Dataset, Split
from bench.tasks.errors import TrainingError
from bench.tasks.source import Source
from bench.tasks.task import TASKS, ModelSpec, Precision, Recipe, Task, TrainingForm
from bench.tasks.training.loop import train

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=2, batch_size=10, optimizer="sgd", learning_rate=0.1)


class Points(Task):
    """Which of two centres a point of the plane belongs to."""

    name = "points"

    def read(self, source: Source) -> Dataset:
        raise NotImplementedError

    def inputs(self, spec: ModelSpec, split: Split) -> Tensor:
        return split.features["points"]

    def augment(self, split: Split, generator: torch.Generator) -> Split:
        noise = torch.randn(split.features["points"].shape, generator=generator)
        return Split({"points": split.features["points"] + noise}, split.labels)


def spec_of(recipe: Recipe) -> ModelSpec:
    return ModelSpec("small", "mlp", "MLP 2-8-2", recipe, {"inputs": 2, "hidden": [8], "classes": 2})


def points(count: int = 100) -> Split:
    labels = torch.arange(count) % 2
    noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
    return Split({"points": noise + (2 * labels - 1).unsqueeze(1)}, labels)


def form_of(recipe: Recipe, split: Split) -> TrainingForm:
    torch.manual_seed(0)
    spec = spec_of(recipe)
    return Points().training_form(spec, spec.build(), split)


def weights(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def trained(recipe: Recipe = RECIPE, seed: int = 0, precision: Precision = "float32") -> Tensor:
    """The weights after a training on the points."""
    return weights(train(form_of(recipe, points()), precision, seed, CPU).network)


@pytest.fixture
def learning_rates() -> Iterator[list[float]]:
    """The learning rate of every optimizer step that the test takes."""
    rates: list[float] = []

    def record(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])

    handle = register_optimizer_step_pre_hook(record)
    yield rates
    handle.remove()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_loss_goes_down(precision: Precision) -> None:
    form = form_of(RECIPE, points())
    inputs, labels = form.train.features["points"], form.train.labels
    before = F.cross_entropy(form.network(inputs), labels).item()
    after = F.cross_entropy(train(form, precision, 0, CPU).network(inputs), labels).item()
    assert after < 0.7 * before


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_stand_in_digits_are_learnt(precision: Precision) -> None:
    mnist = TASKS.get("mnist")
    dataset, spec = mnist.load("synthetic", None), mnist.models[0]
    torch.manual_seed(0)
    network = train(mnist.training_form(spec, spec.build(), dataset.train), precision, 0, CPU).network
    correct = network(mnist.inputs(spec, dataset.test)).argmax(1) == dataset.test.labels
    assert correct.float().mean() > 0.8
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("augment", [False, True])
def test_a_seed_decides_the_weights(optimizer: Any, augment: bool) -> None:
    recipe = replace(RECIPE, optimizer=optimizer, augment=augment)
    assert torch.equal(trained(recipe, seed=1), trained(recipe, seed=1))
    assert not torch.equal(trained(recipe, seed=1), trained(recipe, seed=2))


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": 0.05}, {"momentum": 0.9}, {"weight_decay": 0.1}, {"schedule": "one-cycle"}, {"augment": True}],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_the_recipe_matters(change: dict[str, Any]) -> None:
    assert not torch.equal(trained(RECIPE), trained(replace(RECIPE, **change)))


def test_one_step_of_gradient_descent() -> None:
    recipe = Recipe(epochs=1, batch_size=100, optimizer="sgd", learning_rate=0.5, weight_decay=0.01)
    form = form_of(recipe, points())
    before = weights(form.network)
    loss = F.cross_entropy(form.network(form.train.features["points"]), form.train.labels)
    gradient = torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(form.network.parameters()))])
    after = weights(train(form, "float32", 0, CPU).network)
    torch.testing.assert_close(after, before - 0.5 * (gradient + 0.01 * before))


def test_the_trained_network_is_in_eval_mode() -> None:
    assert not train(form_of(RECIPE, points()), "float32", 0, CPU).network.training


@pytest.mark.parametrize(("examples", "steps"), [(100, 20), (101, 22), (9, 2)])
def test_an_epoch_goes_over_every_example_once(examples: int, steps: int, learning_rates: list[float]) -> None:
    seen: list[int] = []

    class Watched(TrainingForm):
        def batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
            seen.extend(index.tolist())
            return super().batch(index, generator)

    spec = spec_of(RECIPE)
    train(Watched(Points(), spec, spec.build(), points(examples)), "float32", 0, CPU)
    assert len(learning_rates) == steps
    assert sorted(seen[:examples]) == sorted(seen[examples:]) == list(range(examples))
    assert seen[:examples] != seen[examples:] != list(range(examples)), "each epoch has an order of its own"


def test_progress_is_told_every_25_steps_and_at_the_end() -> None:
    told: list[tuple[int, int]] = []
    recipe = replace(RECIPE, epochs=6)
    train(form_of(recipe, points()), "float32", 0, CPU, lambda done, total: told.append((done, total)))
    assert told == [(25, 60), (50, 60), (60, 60)]


def test_a_constant_schedule_keeps_the_learning_rate(learning_rates: list[float]) -> None:
    trained(RECIPE)
    assert learning_rates == [0.1] * 20


def test_one_cycle_rises_to_the_peak_in_a_quarter_of_the_steps_and_falls_to_almost_nothing(
    learning_rates: list[float],
) -> None:
    trained(replace(RECIPE, schedule="one-cycle", momentum=0.9))
    assert learning_rates[0] == pytest.approx(0.1 / 25)
    assert learning_rates[4] == pytest.approx(0.1)
    assert learning_rates[-1] == pytest.approx(0.1 / 25 / 10_000)
    assert learning_rates[:5] == sorted(learning_rates[:5])
    assert learning_rates[4:] == sorted(learning_rates[4:], reverse=True)


def test_a_cosine_falls_from_the_learning_rate_to_zero(learning_rates: list[float]) -> None:
    trained(replace(RECIPE, schedule="cosine"))
    # 20 steps: (1 + cos(π s / 20)) / 2 is 1 at step 0, 1/2 at 10, (1 + cos 0.95 π) / 2 = 0.00616 at the last, 19.
    assert [learning_rates[step] for step in (0, 10, 19)] == pytest.approx([0.1, 0.05, 0.000616], rel=1e-3)
    assert learning_rates == sorted(learning_rates, reverse=True)


@pytest.mark.parametrize(("examples", "lengths"), [(100, (10, 5, 5)), (95, (10, 5, 5)), (81, (9, 5, 4))])
def test_steps_are_a_tenth_after_half_and_a_hundredth_after_three_quarters(
    examples: int, lengths: tuple[int, int, int], learning_rates: list[float]
) -> None:
    train(form_of(replace(RECIPE, schedule="steps"), points(examples)), "float32", 0, CPU)
    expected = [rate for rate, length in zip((0.1, 0.01, 0.001), lengths, strict=True) for _ in range(length)]
    assert learning_rates == pytest.approx(expected)


def test_inputs_that_are_not_numbers_are_a_diverged_training() -> None:
    split = points()
    split.features["points"].fill_(math.nan)
    with pytest.raises(TrainingError) as caught:
        train(form_of(replace(RECIPE, epochs=6), split), "bfloat16", 0, CPU)
    assert str(caught.value) == (
        "the training of points/small (bfloat16) diverged: the loss is nan in epoch 1, step 1; try another --seed."
    )


def test_a_learning_rate_beyond_reason_is_a_diverged_training() -> None:
    with pytest.raises(TrainingError, match=r"points/small \(float32\) diverged: the loss is .* in epoch 1, step 2;"):
        trained(replace(RECIPE, learning_rate=1e30))


def test_a_training_that_diverges_in_its_last_step_is_noticed() -> None:
    recipe = replace(RECIPE, epochs=1, batch_size=100, learning_rate=1e38)
    with pytest.raises(TrainingError, match="in epoch 1, step 1;"):
        train(form_of(recipe, points()), "float32", seed=0, device=CPU)


def test_a_frozen_weight_is_left_alone() -> None:
    form = form_of(RECIPE, points())
    first = form.network.get_parameter("layers.0.weight").requires_grad_(False)
    before = first.clone()
    train(form, "float32", 0, CPU)
    assert torch.equal(first, before)


def test_a_recipe_of_one_thread_keeps_the_content_that_it_had_before_it_named_threads() -> None:
    assert "threads" not in RECIPE.as_dict()
    assert replace(RECIPE, threads=2).as_dict() == {**RECIPE.as_dict(), "threads": 2}
