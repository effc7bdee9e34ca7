from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from bench.measuring.layer_weights import histogram_of, inspect_layers, sqnr_db
from bench.models import MLP
from bench.techniques.lowbit import layers as lowbit
from tests.bench.low_bit import low_bit


def prepared(name: str) -> nn.Module:
    torch.manual_seed(0)
    return low_bit(name).prepare(MLP(40, [30, 20], 5)).eval()


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: layer.weight.detach().clone() for name, layer in lowbit.low_bit_layers(network).items()}


# Signal and noise


def test_the_ratio_by_hand() -> None:
    values, quantized = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 3.0])
    assert sqnr_db(values, quantized) == pytest.approx(10 * math.log10(25))
    # 21 / 18 of the quantized values leaves errors of a half each.
    assert sqnr_db(values, quantized, fitted=True) == pytest.approx(10 * math.log10(25 / 0.5))


def test_exact_values_have_no_noise() -> None:
    assert sqnr_db(torch.ones(3), torch.ones(3)) == math.inf
    assert sqnr_db(torch.ones(3), 2 * torch.ones(3)) == pytest.approx(0)
    assert sqnr_db(torch.ones(3), 2 * torch.ones(3), fitted=True) == math.inf
    assert sqnr_db(torch.zeros(3), torch.zeros(3), fitted=True) == math.inf


def test_zeros_that_became_something_are_all_noise() -> None:
    assert sqnr_db(torch.zeros(3), torch.ones(3)) == -math.inf


def test_a_bit_is_worth_six_decibels() -> None:
    # A uniform distribution in steps of 1 / (2^k − 1) of its range: 20 log10(2^k − 1), 48.1 dB at 8 bits.
    for bits in (4, 6, 8):
        linear = nn.Linear(500, 400)
        nn.init.uniform_(linear.weight, -1, 1, generator=torch.Generator().manual_seed(0))
        [layer] = inspect_layers(low_bit(f"range-linear:w{bits},asym-unsigned").prepare(nn.Sequential(linear)))
        assert layer.sqnr_db == pytest.approx(20 * math.log10(2**bits - 1), abs=0.4)


# Layers


@pytest.mark.parametrize(
    ("name", "bits", "distinct"),
    [
        ("dorefa:w1a1", 1, 2),
        ("dorefa:w2a2", 2, 4),
        ("wrpn:w2a2", 2, 3),
        ("binaryconnect", 1, 2),
        ("range-linear:w3", 3, 8),
    ],
)
def test_a_layer_has_as_many_values_as_its_bits_allow(name: str, bits: int, distinct: int) -> None:
    inspections = inspect_layers(prepared(name))
    assert [layer.name for layer in inspections] == ["layers.0", "layers.2", "layers.4"]
    assert [layer.weights for layer in inspections] == [1200, 600, 100]
    assert {layer.bits for layer in inspections} == {bits}
    assert inspections[0].distinct <= distinct


def test_full_precision_changes_nothing() -> None:
    for layer in inspect_layers(prepared("dorefa:w32a8")):
        assert (layer.bits, layer.sqnr_db) == (32, math.inf)
        assert layer.before == layer.after


def test_more_bits_are_less_noise() -> None:
    ratios = [inspect_layers(prepared(f"range-linear:w{bits}"))[0].sqnr_db for bits in (2, 4, 8, 16)]
    assert ratios == sorted(ratios)


def test_dorefas_range_of_its_own_is_no_noise_once_fitted() -> None:
    # Weights of a tenth become values up to 1, which the next BatchNorm takes back.
    first = inspect_layers(prepared("dorefa:w8a8"))[0]
    assert first.sqnr_db < 0 < 30 < first.fitted_sqnr_db


def test_a_frozen_network_is_held_against_what_it_was() -> None:
    network = prepared("dorefa:w2a2")
    expected, before = inspect_layers(network), weights_of(network)
    lowbit.freeze(network, low_bit("dorefa:w2a2"))
    assert inspect_layers(network, before) == expected


def test_a_frozen_network_alone_has_no_weights_from_before() -> None:
    network = prepared("bwn")
    lowbit.freeze(network, low_bit("bwn"))
    with pytest.raises(ValueError, match=r"layers\.0 is frozen, and its full-precision weights are gone"):
        inspect_layers(network)


def test_weights_from_before_must_be_there_and_fit() -> None:
    network = prepared("bwn")
    with pytest.raises(ValueError, match=r"no weights of layers\.0 from before"):
        inspect_layers(network, {})
    with pytest.raises(ValueError, match=r"layers\.0 has weights \[30, 40\] and had \[3\] before"):
        inspect_layers(network, {"layers.0": torch.ones(3)})


def test_histograms_count_every_weight() -> None:
    for layer in inspect_layers(prepared("dorefa:w2a2"), bins=16):
        for histogram in (layer.before, layer.after):
            assert sum(histogram.counts) == layer.weights
            assert len(histogram.edges) == 17


def test_weights_that_diverged_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        histogram_of(torch.tensor([1.0, math.nan]))


@pytest.mark.parametrize(
    ("name", "clips"),
    [("pact:w2a2,alpha=3", [None, 3.0, 3.0]), ("dorefa:w2a2,clip=learned", [None, 2.15, 2.15]), ("bwn", [None] * 3)],
)
def test_the_level_that_a_layer_learns_is_found(name: str, clips: list[float | None]) -> None:
    """Of the first layer, whose inputs are the data, none is learned."""
    assert [layer.clip for layer in inspect_layers(prepared(name))] == pytest.approx(clips)
