from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.models.mlp import MLP


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("inputs", "hidden", "classes", "expected"),
    [
        (784, [512], 10, 407_050),  # 784·512 + 512 + 512·10 + 10
        (400, [1024, 1024], 10, 1_470_474),  # 400·1024 + 1024 + 1024² + 1024 + 1024·10 + 10
        (5000, [256, 256, 256], 2, 1_412_354),  # 5000·256 + 256 + 2 (256² + 256) + 256·2 + 2
        (3, [], 2, 8),  # no hidden layer: 3·2 + 2
    ],
)
def test_parameters_are_weights_and_biases_of_each_layer(
    inputs: int, hidden: list[int], classes: int, expected: int
) -> None:
    assert parameters(MLP(inputs, hidden, classes)) == expected


def test_logits_are_one_row_of_classes_for_each_example() -> None:
    assert MLP(6, [5, 4], 3)(torch.zeros(7, 6)).shape == (7, 3)


def test_relu_stands_between_layers_and_not_after_the_last() -> None:
    kinds = [type(layer) for layer in MLP(4, [3, 3], 2).layers]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


def test_a_worked_example() -> None:
    network = MLP(2, [2], 1)
    with torch.no_grad():
        for parameter, values in zip(
            network.parameters(),
            ([[1.0, 0.0], [0.0, -1.0]], [0.0, 0.0], [[2.0, 3.0]], [0.5]),
            strict=True,
        ):
            parameter.copy_(torch.tensor(values))
    # The hidden layer is (relu 3, relu -4) = (3, 0), so the logit is 2·3 + 3·0 + 0.5.
    assert network(torch.tensor([[3.0, 4.0]])).tolist() == [[6.5]]
