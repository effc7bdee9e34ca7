"""What techniques make of layers that users' models have: a row that is right, or the true reason."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.core.errors import RequestError, UnsupportedError
from bench.measuring.params import count_parameters
from bench.techniques.base import TECHNIQUES, Artifact, Context
from tests.bench import kinds


def convert(technique: str, model: nn.Module, inputs: Tensor) -> Artifact:
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: inputs, as_given=True)
    return TECHNIQUES.get(technique).convert(copy.deepcopy(model).eval(), context)


def off(technique: str, model: nn.Module, inputs: Tensor) -> float:
    """Return how far its outputs are from fp32's."""
    with torch.inference_mode():
        exact, outputs = model.eval()(inputs), convert(technique, model, inputs).forward(inputs)
    return float((outputs - exact).norm() / exact.norm())


# Transposed convolutions


def test_transposed_convolutions_are_quantized() -> None:
    model, inputs = kinds.transposed(), torch.randn(4, 4, 3, 3)
    assert TECHNIQUES.get("static-qint8").quantizable_layers(model) == ["0", "3"]
    assert off("static-qint8", model, inputs) < 0.1
    with pytest.raises(UnsupportedError, match=r"whose class is Linear, LSTM, GRU, .* and this model has none"):
        convert("dynamic-qint8", model, inputs)
    with pytest.raises(
        UnsupportedError, match=r"Linear and Conv2d layers, .* it leaves BatchNorm2d, ConvTranspose2d alone"
    ):
        convert("range-linear:w8a8", model, inputs)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_norms_behind_transposed_convolutions_are_folded_group_by_group(groups: int) -> None:
    model = kinds.transposed(groups)
    for norm in ("1", "4"):
        nn.init.uniform_(model.get_parameter(f"{norm}.weight"), 0.5, 2.0)
        nn.init.uniform_(model.get_buffer(f"{norm}.running_mean"), -1.0, 1.0)
    inputs = torch.randn(4, 4, 3, 3)
    folded = count_parameters(convert("static-qint8", model, inputs).module)
    assert folded == count_parameters(model) - 12, "two values a channel became a bias"
    assert off("static-qint8", model, inputs) < 0.1


# Where FX has no answer


class OfIntegers(nn.Module):
    """Calculates with integers before it multiplies floats."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        steps = torch.arange(4) * ((inputs > 0).long().sum(1, keepdim=True) + 1)
        outputs: Tensor = self.layer(inputs + steps)
        return outputs


def test_integers_are_not_observed() -> None:
    artifact = convert("static-qint8", OfIntegers(), torch.randn(8, 4))
    assert "integers or complex have no range" in artifact.notes[-1]
    assert off("static-qint8", OfIntegers(), torch.randn(8, 4)) < 0.1


def test_weights_that_are_computed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.techniques.graphs.pt2e.find_spec", lambda name: None)  # which has no such limit
    model = nn.Sequential(kinds.Casting(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(UnsupportedError, match=r"weight is computed at each call, as in 0 \(Casting of kinds\.py\)"):
        convert("static-qint8", model, torch.randn(4, 8))
    with pytest.raises(UnsupportedError, match=r"derived from them alone, here Casting of kinds\.py"):
        convert("dynamic-qint8", nn.Sequential(kinds.Casting(8, 8)), torch.randn(4, 8))


def test_weights_that_are_parameters_of_no_linear_are_quantized() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 4))

        def forward(self, inputs: Tensor) -> Tensor:
            return F.linear(inputs, self.weight)

    assert off("static-qint8", Bare(), torch.randn(16, 4)) < 0.1


def test_a_batch_is_shown_as_it_was_given() -> None:
    assert off("static-qint8", kinds.FixedBatch(), kinds.fours(4)) < 0.1


# A scale for each output


def test_one_large_weight_costs_the_others_nothing_where_each_output_has_its_scale() -> None:
    torch.manual_seed(0)
    model, inputs = nn.Sequential(nn.Linear(16, 8, bias=False)), torch.randn(32, 16)
    with torch.no_grad():
        model.get_parameter("0.weight")[0, 0] = 1000.0
    with torch.inference_mode():
        exact = model(inputs)[:, 1:]
        lost = [
            float((convert(name, model, inputs).forward(inputs)[:, 1:] - exact).norm() / exact.norm())
            for name in ("dynamic-qint8", "dynamic-qint8:per-channel")
        ]
    assert lost[0] > 0.9, "they are all rounded to 0"
    assert lost[1] < 0.05


def test_the_granularity_is_an_option() -> None:
    assert TECHNIQUES.get("dynamic-qint8").name == TECHNIQUES.get("dynamic-qint8:per-tensor").name == "dynamic-qint8"
    assert TECHNIQUES.get("dynamic-qint8:per-channel").name == "dynamic-qint8:per-channel"
    assert TECHNIQUES.get("dynamic-qint8:per-channel") != TECHNIQUES.get("dynamic-qint8")
    with pytest.raises(RequestError, match="dynamic-qint8 has no option 'per-row'"):
        TECHNIQUES.get("dynamic-qint8:per-row")
