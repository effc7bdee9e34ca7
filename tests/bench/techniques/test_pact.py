"""PACT's formulas against numbers worked by hand; equations are numbered as in the paper."""

from __future__ import annotations

import pytest
import torch

from bench.models import PreActResNet
from bench.techniques.lowbit.layers import low_bit_layers
from tests.bench.low_bit import gradient_of, low_bit, quantized, second_layer


def test_pact_clips_at_alpha_and_rounds_in_its_steps() -> None:
    # eq. 1 and 2 with α = 6: of 3 steps 0.45, 1.45, 2.95 and 3.
    expected = [0.0, 0.0, 2.0, 6.0, 6.0]
    assert quantized("pact:w32a2,alpha=6", [-1.0, 0.9, 2.9, 5.9, 9.0]) == pytest.approx(expected)


def pact_gradients(inputs: list[float]) -> tuple[list[float], float]:
    """Of the sum of outputs, with respect to inputs and α = 6."""
    layer = second_layer("pact:w32a2,alpha=6", len(inputs))
    source = torch.tensor([inputs], requires_grad=True)
    layer(source).sum().backward()
    return gradient_of(source)[0].tolist(), gradient_of(layer.get_parameter("clip")).item()


def test_alphas_gradient_counts_the_inputs_that_it_clips() -> None:
    assert pact_gradients([-1.0, 0.9, 5.9, 6.1, 9.0]) == ([0.0, 1.0, 1.0, 0.0, 0.0], 2.0)


def test_an_input_of_exactly_alpha_is_clipped() -> None:
    # eq. 3: 0 for x < α and 1 for x ≥ α.
    assert pact_gradients([3.0, 6.0]) == ([1.0, 0.0], 1.0)


def test_alpha_is_one_a_layer_but_the_first_and_starts_high() -> None:
    network = low_bit("pact:w2a2").prepare(PreActResNet(8, 5))
    learned = {name: value for name, value in network.named_parameters() if name.endswith(".clip")}
    assert learned.keys() == {f"blocks.{block}.conv{index}.clip" for block in range(3) for index in (1, 2)}
    assert {value.item() for value in learned.values()} == {10.0}
    assert {value.dim() for value in learned.values()} == {0}
    first, *rest = low_bit_layers(low_bit("pact:w2a2,all,alpha=3").prepare(PreActResNet(8, 5))).values()
    assert "clip" not in dict(first.named_parameters())
    assert {layer.get_parameter("clip").item() for layer in rest} == {3.0}


def test_pacts_weights_are_dorefas() -> None:
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    for bits in (1, 2, 4):
        assert torch.equal(low_bit(f"pact:w{bits}").weight(weight), low_bit(f"dorefa:w{bits}").weight(weight))


def test_without_activation_bits_there_is_no_alpha() -> None:
    network = low_bit("pact:w2").prepare(PreActResNet(8, 5))
    assert not any(name.endswith("clip") for name, _ in network.named_parameters())


@pytest.mark.parametrize("beyond", [0.0, -0.5])
def test_alpha_stays_above_zero(beyond: float) -> None:
    layer = second_layer("pact:w32a2", 3)
    alpha = layer.get_parameter("clip")
    with torch.no_grad():
        alpha.fill_(beyond)
    layer.after_step()
    assert alpha.item() == pytest.approx(1e-3)
    outputs = layer(torch.tensor([[-1.0, 4e-4, 2.0]]))
    assert outputs[0].tolist() == pytest.approx([0.0, 1e-3 / 3, 1e-3])
    outputs.sum().backward()
    assert gradient_of(alpha).item() == 1.0


def test_an_alpha_that_is_large_is_left_as_it_was_learned() -> None:
    layer = second_layer("pact:w32a2,alpha=3", 3)
    layer.after_step()
    assert layer.get_parameter("clip").item() == 3.0
