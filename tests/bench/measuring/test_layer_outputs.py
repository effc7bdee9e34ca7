from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.core.errors import UnknownNameError
from bench.measuring.layer_outputs import output_statistics, record_activations, record_outputs
from tests.bench.measuring.test_layer_weights import prepared


def test_outputs_of_named_layers() -> None:
    network, inputs = prepared("dorefa:w2a2"), torch.rand(3, 40)
    first, last = record_outputs(network, inputs, ["layers.0", "layers.4"]).values()
    with torch.no_grad():
        assert torch.equal(last[0], network(inputs))
        assert torch.equal(first[0], network.get_submodule("layers.0")(inputs))
    assert first[0].shape == (3, 30)
    assert all(not module._forward_hooks for module in network.modules())


def test_outputs_are_those_before_the_next_layer_overwrites_them() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))
    [linear] = record_outputs(network, torch.rand(50, 4) - 0.5, ["0"]).values()
    assert (linear[0] < 0).any()


def test_each_call_is_recorded() -> None:
    layer = nn.Linear(4, 4)
    [twice] = record_outputs(nn.Sequential(layer, layer), torch.rand(2, 4), ["0"]).values()
    assert len(twice) == 2
    assert not torch.equal(*twice)


@pytest.mark.parametrize(
    ("technique", "levels"),
    [("dorefa:w2a2", 4), ("pact:w4a3,alpha=1", 8), ("wrpn:w2a4", 16), ("xnor", 2), ("xnor:no-k", 2)],
)
def test_activations_are_recorded_as_they_are_multiplied(technique: str, levels: int) -> None:
    network, inputs = prepared(technique), torch.rand(64, 40)
    before = network(inputs)
    calls = record_activations(network, inputs, ["layers.0", "layers.2", "layers.4"])
    assert calls.keys() == {"layers.2", "layers.4"}, "the inputs of the first layer are the data"
    for [values] in calls.values():
        assert 1 < values.unique().numel() <= levels
    assert torch.equal(network(inputs), before), "the network is as it was"


def test_a_layer_with_inputs_of_full_precision_has_none() -> None:
    assert record_activations(prepared("bwn"), torch.rand(2, 40), ["layers.2"]) == {}
    assert record_activations(nn.Sequential(nn.Linear(4, 4)), torch.rand(2, 4), ["0"]) == {}


def test_a_name_that_no_layer_has_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'layers\.0'"):
        record_outputs(prepared("bwn"), torch.rand(1, 40), ["layers.00"])


def test_a_module_that_returns_no_tensor_is_refused() -> None:
    network = nn.Sequential(nn.LSTM(4, 4))
    with pytest.raises(ValueError, match="0 returns a tuple, not a tensor"):
        record_outputs(network, torch.rand(1, 2, 4), ["0"])
    assert not network[0]._forward_hooks


def test_outputs_are_summed_up_over_all_calls() -> None:
    [found] = output_statistics({"0": [torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 5.0]])]})
    assert (found.name, found.shape, found.distinct) == ("0", (1, 2), 3)
    assert (found.least, found.mean, found.largest) == (1.0, 2.5, 5.0)
    assert found.std == pytest.approx(3**0.5)  # of 1, 2, 2, 5: the squares 2.25, 0.25, 0.25, 6.25 over 3
