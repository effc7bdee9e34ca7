"""A training that was interrupted goes on to the same weights; and what the loop does after each step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from bench.tasks.dataset import Split
from bench.tasks.task import TASKS, Precision, Recipe, TrainingForm
from bench.tasks.training import loop
from bench.tasks.training.loop import Trained, train
from bench.tasks.training.resume import DIGEST, Trainee
from bench.techniques.base import TECHNIQUES
from bench.techniques.binaryconnect import LEARNING_RATE_SCALE
from tests.bench.fuzzing.safetensors_changes import joined, split
from tests.bench.mutations import FEW, RANDOMS, damaged
from tests.tasks.test_training import CPU, Points, form_of, points, spec_of, weights

ADAM = Recipe(epochs=6, batch_size=10, optimizer="adam", learning_rate=0.01)
SGD = Recipe(epochs=6, batch_size=10, optimizer="sgd", learning_rate=0.1)
RECIPES = {
    "adam": ADAM,
    "adam one-cycle": replace(ADAM, schedule="one-cycle", weight_decay=0.01),
    "adam cosine": replace(ADAM, schedule="cosine"),
    "sgd": SGD,
    "sgd steps": replace(SGD, schedule="steps", momentum=0.9),
    "sgd one-cycle": replace(SGD, schedule="one-cycle", momentum=0.9, weight_decay=1e-3, augment=True),
}
ONE_CYCLE = RECIPES["sgd one-cycle"]
IN_EPOCH_3 = 25
"""The first step that progress is told of; an epoch has ten."""


class InterruptionError(Exception):
    """What the user does."""


def interrupt(done: int, total: int) -> None:
    raise InterruptionError


@pytest.fixture(autouse=True)
def saved_after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where a training is saved; the folder is made by who saves."""
    return tmp_path / "folder" / "state"


def prepared(recipe: Recipe, technique: str = "fp32") -> TrainingForm:
    form = form_of(recipe, points())
    TECHNIQUES.get(technique).prepare(form.network)
    return form


def whole(recipe: Recipe, technique: str = "fp32", precision: Precision = "float32") -> Tensor:
    """The weights of a training that nothing interrupts."""
    return state_of(train(prepared(recipe, technique), precision, 0, CPU))


def state_of(trained: Trained) -> Tensor:
    return torch.cat([value.flatten().float() for value in trained.network.state_dict().values()])


def begin(recipe: Recipe, state: Path, technique: str = "fp32", precision: Precision = "float32") -> None:
    """Train until the third epoch."""
    with pytest.raises(InterruptionError):
        train(prepared(recipe, technique), precision, 0, CPU, interrupt, state=state)
    assert [file.name for file in state.parent.iterdir()] == ["state"], "no temporary file is left"


def resume(recipe: Recipe, state: Path, technique: str = "fp32", precision: Precision = "float32") -> Tensor:
    return state_of(train(prepared(recipe, technique), precision, 0, CPU, state=state))


@pytest.fixture
def learning_rates() -> Iterator[list[list[float]]]:
    """The learning rates of each parameter group in every optimizer step that the test takes."""
    rates: list[list[float]] = []

    def record(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        rates.append([group["lr"] for group in optimizer.param_groups])

    handle = register_optimizer_step_pre_hook(record)
    yield rates
    handle.remove()


# Interrupted and taken up again


@pytest.mark.parametrize("name", RECIPES)
def test_an_interrupted_training_ends_at_the_same_weights(name: str, state: Path) -> None:
    begin(RECIPES[name], state)
    assert torch.equal(resume(RECIPES[name], state), whole(RECIPES[name]))
    assert state.exists(), "until the weights are kept somewhere"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_low_precision_too(precision: Precision, state: Path) -> None:
    begin(ONE_CYCLE, state, precision=precision)
    assert torch.equal(resume(ONE_CYCLE, state, precision=precision), whole(ONE_CYCLE, precision=precision))


@pytest.mark.parametrize(
    "technique", ["dorefa:w2a2", "pact:w2a2", "xnor", "binaryconnect:glorot", "binaryconnect:stochastic"]
)
def test_with_low_bit_layers_too(technique: str, state: Path) -> None:
    # Stochastic signs are drawn from torch's own generator, whose state is saved too.
    begin(ONE_CYCLE, state, technique)
    assert torch.equal(resume(ONE_CYCLE, state, technique), whole(ONE_CYCLE, technique))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_with_convolutions_in_either_memory_format_too(name: str, channels_last: bool, state: Path) -> None:
    recipe = replace(RECIPES[name], epochs=2, batch_size=4)

    def form() -> TrainingForm:
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (12, 3, 32, 32), generator=generator, dtype=torch.uint8)
        task = TASKS.get("cifar10")
        spec = replace(task.models[0], recipe=recipe, channels_last=channels_last)
        return task.training_form(spec, spec.build(), Split({"images": images}, torch.arange(12) % 10))

    class StopError(Exception):
        pass

    with pytest.MonkeyPatch.context() as patch:
        save = Trainee.save

        def save_and_stop(self: Trainee, path: Path, history: Any) -> None:
            save(self, path, history)
            raise StopError

        patch.setattr(Trainee, "save", save_and_stop)
        with pytest.raises(StopError):
            train(form(), "float32", 0, CPU, state=state)
    resumed = state_of(train(form(), "float32", 0, CPU, state=state))
    assert torch.equal(resumed, state_of(train(form(), "float32", 0, CPU)))


def test_weights_that_are_no_numbers_are_not_kept(state: Path) -> None:
    form = form_of(SGD, points())
    form.network.register_buffer("poisoned", torch.tensor(float("nan")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainee, "save", lambda *_: pytest.fail("they would be gone on from for ever"))
        train(form, "float32", 0, CPU, state=state)


def test_a_training_goes_on_where_it_stopped(state: Path, learning_rates: list[list[float]]) -> None:
    whole(ONE_CYCLE)
    uninterrupted = list(learning_rates)
    begin(ONE_CYCLE, state)
    learning_rates.clear()
    resume(ONE_CYCLE, state)
    assert len(learning_rates) == 40, "two of six epochs were done"
    assert learning_rates == uninterrupted[20:]


def test_progress_counts_from_the_start_of_the_first_sitting(state: Path) -> None:
    begin(ADAM, state)
    told: list[tuple[int, int]] = []
    train(prepared(ADAM), "float32", 0, CPU, lambda done, total: told.append((done, total)), state=state)
    assert told == [(25, 60), (50, 60), (60, 60)]


def test_the_history_goes_on_too(state: Path) -> None:
    uninterrupted = train(prepared(ONE_CYCLE), "float32", 0, CPU).history
    begin(ONE_CYCLE, state)
    resumed = train(prepared(ONE_CYCLE), "float32", 0, CPU, state=state).history
    assert [epoch.loss for epoch in resumed] == [epoch.loss for epoch in uninterrupted]
    assert len(resumed) == ONE_CYCLE.epochs
    seconds = [epoch.seconds for epoch in resumed]
    assert seconds == sorted(seconds)


def test_a_training_can_be_interrupted_again_and_again(state: Path) -> None:
    begin(ONE_CYCLE, state)
    for stop in (50, 60):

        def interrupt_at(done: int, total: int, stop: int = stop) -> None:
            if done == stop:
                raise InterruptionError

        with pytest.raises(InterruptionError):
            train(prepared(ONE_CYCLE), "float32", 0, CPU, interrupt_at, state=state)
    assert torch.equal(resume(ONE_CYCLE, state), whole(ONE_CYCLE))


def test_the_seconds_are_those_of_all_sittings(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    # A second passes from each look at the clock to the next: at the start, after each epoch and at the end.
    assert train(prepared(ADAM), "float32", 0, CPU).seconds == 7.0
    begin(ADAM, state)
    assert train(prepared(ADAM), "float32", 0, CPU, state=state).seconds == 2.0 + 5.0


def test_savings_are_some_seconds_apart(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[tuple[int, float]] = []
    monkeypatch.setattr(Trainee, "save", lambda self, path, history: saved.append((len(history), history[-1].seconds)))
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 10.0)
    clock = itertools.count(step=4)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    train(prepared(replace(ADAM, epochs=9)), "float32", 0, CPU, state=state)
    assert saved == [(3, 12.0), (6, 24.0)], "the last epoch's state would be of no use"


# States that cannot be used


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x80\x04N."])
def test_a_damaged_state_is_no_state(content: bytes, state: Path) -> None:
    state.parent.mkdir()
    state.write_bytes(content)
    assert torch.equal(resume(ONE_CYCLE, state), whole(ONE_CYCLE))


@pytest.mark.parametrize("length", [4, 100, -1])
def test_a_truncated_state_is_no_state(length: int, state: Path, learning_rates: list[list[float]]) -> None:
    begin(ONE_CYCLE, state)
    state.write_bytes(state.read_bytes()[:length])
    learning_rates.clear()
    found = resume(ONE_CYCLE, state)
    assert len(learning_rates) == 60
    assert torch.equal(found, whole(ONE_CYCLE))


@settings(FEW, max_examples=8)
@given(random=RANDOMS)
def test_a_changed_state_is_no_state(random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("strange") / "folder" / "state"
    begin(ADAM, state)
    state.write_bytes(damaged(state.read_bytes(), random))
    assert torch.equal(resume(ADAM, state), whole(ADAM))


@pytest.mark.parametrize("tensor", [{"dtype": "F6_E2M3", "shape": [0]}, {"dtype": "F32", "shape": [0, 2**64 - 1]}])
def test_a_state_with_a_tensor_that_torch_does_not_have_is_no_state(tensor: dict[str, Any], state: Path) -> None:
    begin(ADAM, state)
    header, values = split(state.read_bytes())
    header["module.another"] = tensor | {"data_offsets": [0, 0]}
    state.write_bytes(joined(json.dumps(header).encode(), values))
    assert torch.equal(resume(ADAM, state), whole(ADAM))


def test_a_state_without_its_digest_is_no_state(state: Path, learning_rates: list[list[float]]) -> None:
    begin(ADAM, state)
    header, values = split(state.read_bytes())
    del header["__metadata__"][DIGEST]
    state.write_bytes(joined(json.dumps(header).encode(), values))
    learning_rates.clear()
    resume(ADAM, state)
    assert len(learning_rates) == 60


def test_a_state_of_another_torch_is_no_state(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(ADAM, state)
    monkeypatch.setattr("bench.tasks.training.resume.FORMAT", "2, torch 1.0")
    assert torch.equal(resume(ADAM, state), whole(ADAM))


def test_somebody_elses_file_is_no_state(state: Path) -> None:
    state.parent.mkdir()
    safetensors.torch.save_file({"weight": torch.zeros(2)}, state)
    assert torch.equal(resume(ADAM, state), whole(ADAM))


def test_a_state_of_another_network_is_no_state(state: Path) -> None:
    begin(ADAM, state, "pact:w2a2")
    assert torch.equal(resume(ADAM, state), whole(ADAM))


# After each step


class Counting(nn.Linear):
    """Counts the steps that it is told of."""

    steps = 0

    def after_step(self) -> None:
        self.steps += 1


def test_modules_are_told_of_each_step(learning_rates: list[list[float]]) -> None:
    parts = [Counting(2, 4), Counting(4, 2)]
    train(TrainingForm(Points(), spec_of(SGD), nn.Sequential(*parts), points()), "float32", 0, CPU)
    assert [part.steps for part in parts] == [60, 60]
    assert len(learning_rates) == 60


def test_binary_weights_are_clipped_after_each_step_and_biases_are_not() -> None:
    form = prepared(replace(SGD, learning_rate=5.0, epochs=1), "binaryconnect")
    network = train(form, "float32", 0, CPU).network
    largest = {name: parameter.abs().max().item() for name, parameter in network.named_parameters()}
    assert max(value for name, value in largest.items() if name.endswith("weight")) == 1.0
    assert max(value for name, value in largest.items() if name.endswith("bias")) > 1.0


# Learning rates of their own


@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
@pytest.mark.parametrize(("recipe", "times"), [(ADAM, 3.0), (SGD, 9.0)], ids=["adam", "sgd"])
def test_a_scaled_parameter_learns_so_many_times_as_fast_and_with_sgd_the_square(
    recipe: Recipe, times: float, schedule: Any, learning_rates: list[list[float]]
) -> None:
    form = prepared(replace(recipe, schedule=schedule))
    setattr(form.network.get_parameter("layers.2.weight"), LEARNING_RATE_SCALE, 3.0)
    train(form, "float32", 0, CPU)
    plain, scaled = zip(*learning_rates, strict=True)
    assert max(plain) == pytest.approx(recipe.learning_rate)
    assert list(scaled) == pytest.approx([times * rate for rate in plain])


def test_one_step_of_gradient_descent_with_a_scaled_parameter() -> None:
    recipe = Recipe(epochs=1, batch_size=100, optimizer="sgd", learning_rate=0.5)
    form = prepared(recipe)
    setattr(form.network.get_parameter("layers.0.weight"), LEARNING_RATE_SCALE, 2.0)
    before = weights(form.network)
    loss = F.cross_entropy(form.network(form.train.features["points"]), form.train.labels)
    gradients = torch.autograd.grad(loss, list(form.network.parameters()))
    rates = [0.5 * 2.0**2, 0.5, 0.5, 0.5]
    step = torch.cat([rate * part.flatten() for rate, part in zip(rates, gradients, strict=True)])
    torch.testing.assert_close(weights(train(form, "float32", 0, CPU).network), before - step)


def test_scaled_parameters_survive_an_interruption(state: Path) -> None:
    def marked() -> TrainingForm:
        form = prepared(ONE_CYCLE)
        setattr(form.network.get_parameter("layers.0.weight"), LEARNING_RATE_SCALE, 2.0)
        return form

    with pytest.raises(InterruptionError):
        train(marked(), "float32", 0, CPU, interrupt, state=state)
    resumed = train(marked(), "float32", 0, CPU, state=state)
    assert torch.equal(state_of(resumed), state_of(train(marked(), "float32", 0, CPU)))
