"""The wrapper of Courbariaux et al. 2015, algorithm 1: full-precision weights are never lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from bench.models import PreActResNet
from bench.techniques.lowbit.binary_connect import BC, glorot_coefficient


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are not faster on more, and much slower on a machine that is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(9, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))


def wrapped(*weights: list[float], stochastic: bool = False) -> tuple[BC, Tensor]:
    """A Linear of these rows, and its weights."""
    layer = nn.Linear(len(weights[0]), len(weights))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
    bc = BC(layer, stochastic)
    return bc, bc.target_modules[0]


def copies(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


# What it holds


def test_the_attributes_that_the_course_names() -> None:
    model = network()
    bc = BC(model)
    assert bc.model is model
    assert bc.num_of_params == 2
    assert bc.bin_range == [0, 1]
    assert [
        parameter is layer.weight for parameter, layer in zip(bc.target_modules, (model[0], model[3]), strict=True)
    ] == [
        True,
        True,
    ]
    assert same(bc.saved_params, [weight.detach() for weight in bc.target_modules])
    assert not any(
        saved.data_ptr() == weight.data_ptr() for saved, weight in zip(bc.saved_params, bc.target_modules, strict=True)
    )
    assert len(list(bc.parameters())) == len(list(model.parameters())), "copies are no parameters"


def test_every_convolution_and_linear_is_a_target_first_and_last_included() -> None:
    bc = BC(PreActResNet(8, 5))
    assert bc.bin_range == list(range(10))
    assert all(weight.dim() >= 2 for weight in bc.target_modules), "neither biases nor BatchNorm"


def test_copies_are_where_the_weights_have_moved() -> None:
    model = network()
    bc = BC(model)
    model.double()
    before = copies(model)
    bc.binarization()
    assert {saved.dtype for saved in bc.saved_params} == {torch.float64}
    bc.restore()
    assert same(copies(model), before)


# Binary and back


def test_binary_weights_are_signs_and_that_of_zero_is_plus_one() -> None:
    bc, weight = wrapped([0.3, -0.2, 0.0], [-0.0, 7.0, -1e-9])
    bc.binarization()
    assert weight.tolist() == [[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]


def test_restoring_gives_every_bit_back() -> None:
    model = network()
    bc = BC(model)
    before = copies(model)
    bc.binarization()
    assert not same(copies(model), before)
    bc.restore()
    assert same(copies(model), before)


def test_binarizing_twice_loses_nothing() -> None:
    model = network()
    bc = BC(model)
    before = copies(model)
    bc.binarization()
    bc.binarization()
    bc.save_params()
    bc.restore()
    assert same(copies(model), before)


def test_restoring_without_a_binarization_changes_nothing() -> None:
    bc, weight = wrapped([0.5, -0.5])
    with torch.no_grad():
        weight.add_(1.0)
    bc.restore()
    assert weight.tolist() == [[1.5, 0.5]]


def test_each_binarization_saves_the_weights_anew() -> None:
    bc, weight = wrapped([0.5, -0.5])
    bc.binarization()
    bc.restore()
    with torch.no_grad():
        weight.add_(1.0)
    bc.binarization()
    assert weight.tolist() == [[1.0, 1.0]]
    bc.restore()
    assert weight.tolist() == [[1.5, 0.5]]


def test_biases_and_batch_norm_stay_as_they_are() -> None:
    model = network()
    bc = BC(model)
    others = {key: value.clone() for key, value in model.state_dict().items() if key not in ("0.weight", "3.weight")}
    bc.binarization()
    bc.clip()
    assert all(torch.equal(model.state_dict()[key], value) for key, value in others.items())


def test_outputs_are_those_of_the_weights_as_they_are() -> None:
    bc, _ = wrapped([0.5, -3.0])
    inputs = torch.tensor([[2.0, 1.0]])
    with torch.no_grad():
        bias = bc.model.get_parameter("bias").item()
        assert bc(inputs).item() == pytest.approx(-2.0 + bias)
        bc.binarization()
        assert bc(inputs).item() == pytest.approx(1.0 + bias)


def test_gradients_are_taken_at_the_binary_weights_and_applied_to_the_real_ones() -> None:
    bc, weight = wrapped([0.5, -0.95])
    optimizer = torch.optim.SGD([weight], lr=0.1)
    bc.binarization()
    (bc(torch.tensor([[1.0, 2.0]])).square() / 2).sum().backward()
    bias = bc.model.get_parameter("bias").item()
    bc.restore()
    optimizer.step()
    bc.clip()
    slope = 1.0 * 1.0 - 1.0 * 2.0 + bias  # the output, at weights +1 and −1
    assert weight.flatten().tolist() == pytest.approx([0.5 - 0.1 * slope, max(-1.0, -0.95 - 0.2 * slope)])


def test_clipping_is_to_minus_one_and_one() -> None:
    bc, weight = wrapped([1.7, -0.3, -4.0])
    bc.clip()
    assert weight.flatten().tolist() == pytest.approx([1.0, -0.3, -1.0])


def test_clipping_while_the_weights_are_binary_clips_the_saved_ones() -> None:
    bc, weight = wrapped([1.7, -0.3, -4.0])
    bc.binarization()
    bc.clip()
    assert weight.tolist() == [[1.0, -1.0, -1.0]]
    bc.restore()
    assert weight.flatten().tolist() == pytest.approx([1.0, -0.3, -1.0])


# Evaluation


def test_within_the_context_weights_are_binary_and_real_again_after_it() -> None:
    bc, weight = wrapped([0.5, -0.5])
    with bc.binarized() as inside:
        assert inside is bc
        assert weight.tolist() == [[1.0, -1.0]]
    assert weight.tolist() == [[0.5, -0.5]]


def test_the_context_restores_after_an_error() -> None:
    bc, weight = wrapped([0.5, -0.5])
    with pytest.raises(ZeroDivisionError), bc.binarized():
        raise ZeroDivisionError
    assert weight.tolist() == [[0.5, -0.5]]


def test_a_context_within_a_training_step_leaves_the_weights_binary() -> None:
    bc, weight = wrapped([0.5, -0.5])
    bc.binarization()
    with bc.binarized(), bc.binarized():
        pass
    assert weight.tolist() == [[1.0, -1.0]]
    bc.restore()
    assert weight.tolist() == [[0.5, -0.5]]


def majority(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Nine votes of −1 and +1, and whether most are +1."""
    votes = 2.0 * torch.randint(0, 2, (count, 9), generator=torch.Generator().manual_seed(seed)) - 1
    return votes, (votes.sum(1) > 0).long()


def accuracy(bc: BC) -> float:
    """As a user evaluates who knows no context manager: before each of two batches the weights are made binary."""
    inputs, labels = majority(400, seed=1)
    bc.eval()
    correct = 0
    with torch.no_grad():
        for part, truth in zip(inputs.split(200), labels.split(200), strict=True):
            bc.binarization()
            correct += int((bc(part).argmax(1) == truth).sum())
    bc.restore()
    bc.train()
    return correct / len(inputs)


def learn(evaluate: bool, steps: int = 100) -> tuple[BC, float]:
    """Train on the majority of votes, evaluating after each step or only at the end; return the accuracy too."""
    bc = BC(network())
    inputs, labels = majority(256, seed=0)
    optimizer = torch.optim.Adam(bc.parameters(), lr=0.01)
    for _ in range(steps):
        bc.binarization()
        loss = nn.functional.cross_entropy(bc(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        bc.restore()
        optimizer.step()
        bc.clip()
        if evaluate:
            accuracy(bc)
    return bc, accuracy(bc)


def test_the_training_step_of_the_paper_learns() -> None:
    bc, found = learn(evaluate=False)
    assert found > 0.9
    assert all(weight.abs().max() <= 1 for weight in bc.target_modules)
    assert any(weight.abs().unique().numel() > 2 for weight in bc.target_modules), "real weights, not signs"


def test_evaluating_within_a_training_leaves_the_real_weights_alone() -> None:
    assert same(copies(learn(evaluate=True, steps=20)[0]), copies(learn(evaluate=False, steps=20)[0]))


# Drawn signs


def test_drawn_signs_have_the_hard_sigmoid_as_their_probability() -> None:
    torch.manual_seed(0)
    bc, weight = wrapped(
        [0.5] * 10_000, [-0.5] * 10_000, [0.0] * 10_000, [1.5] * 10_000, [-1.0] * 10_000, stochastic=True
    )
    bc.binarization()
    assert set(weight.flatten().tolist()) == {-1.0, 1.0}
    # P(+1) = (w + 1) / 2, so that the mean is w; its standard deviation is at most 0.01.
    assert weight.mean(1).tolist() == pytest.approx([0.5, -0.5, 0.0, 1.0, -1.0], abs=0.05)
    bc.restore()
    assert weight.mean(1).tolist() == [0.5, -0.5, 0.0, 1.5, -1.0]


def test_each_binarization_draws_anew() -> None:
    torch.manual_seed(0)
    bc, weight = wrapped([0.0] * 100, stochastic=True)
    bc.binarization()
    first = weight.detach().clone()
    bc.binarization()
    assert torch.equal(weight, first), "within one step the signs stay"
    bc.restore()
    bc.binarization()
    assert not torch.equal(weight, first)


# Learning rates


@pytest.mark.parametrize(
    ("shape", "expected"),
    # sqrt(1.5 / (4 + 2)) = 1/2; sqrt(1.5 / (9 · (4 + 2))) = 1/6
    [((2, 4), 1 / 2), ((4, 2, 3, 3), 1 / 6), ((4, 4, 3), 1 / 4)],
)
def test_glorots_coefficient_counts_a_convolutions_window(shape: tuple[int, ...], expected: float) -> None:
    assert glorot_coefficient(torch.zeros(shape)) == pytest.approx(expected)


@pytest.mark.parametrize(("power", "rates"), [(1, [0.2, 0.1]), (2, [0.4, 0.1])])
def test_weights_learn_faster_by_glorots_coefficient_and_biases_do_not(power: int, rates: list[float]) -> None:
    bc = BC(nn.Linear(4, 2))
    groups = bc.scaled_parameters(0.1, power)
    optimizer = torch.optim.SGD(groups, lr=1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(rates)
    assert [
        group["params"][0] is parameter
        for group, parameter in zip(optimizer.param_groups, bc.parameters(), strict=True)
    ]


def test_every_parameter_is_in_one_group() -> None:
    bc = BC(network())
    groups = [group["params"] for group in bc.scaled_parameters(0.1)]
    assert [id(part) for group in groups if isinstance(group, list) for part in group] == [
        id(part) for part in bc.parameters()
    ]
