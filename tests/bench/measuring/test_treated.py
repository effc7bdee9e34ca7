"""How much of a model a technique treats."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from bench.measuring import treated
from bench.measuring.params import count_parameters
from bench.measuring.size import state_dict_bytes, view_note
from bench.measuring.treated import FloatModel
from bench.techniques.base import TECHNIQUES, Artifact, Context
from tests.bench import kinds

IDS = torch.arange(8).reshape(2, 4)


def convert(technique: str, model: nn.Module, inputs: Tensor) -> tuple[FloatModel, Artifact]:
    before = FloatModel.of(model)
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: inputs)
    return before, TECHNIQUES.get(technique).convert(copy.deepcopy(model).eval(), context)


def test_a_tie_that_is_broken_is_said_with_what_it_costs() -> None:
    model = kinds.TiedHead()
    before, variant = convert("dynamic-qint8", model, IDS)
    assert (before.params, count_parameters(variant.module)) == (1600 + 256, 2 * 1600 + 256)
    [note] = treated.broken_ties_note(before, variant.module)
    assert "`embed.weight` = `head.weight`" in note
    assert "costs 1,600 further parameters" in note
    assert treated.treated(before, variant.module).params == 1600, "the projection is no module"
    [left] = treated.left_alone_note(before, variant.module)
    assert "Embedding" in left
    assert "TiedHead of kinds.py (256)" in left
    for technique in ("fp16", "bf16"):
        before, variant = convert(technique, model, IDS)
        assert not treated.broken_ties_note(before, variant.module)
        assert treated.treated(before, variant.module).share == 1


def test_a_layer_under_several_names_is_converted_and_counted_once() -> None:
    model = kinds.Repeated()
    for technique in ("dynamic-qint8", "dynamic-fp16", "range-linear:w4"):
        before, variant = convert(technique, model, torch.rand(2, 16))
        assert count_parameters(variant.module) == before.params == 272
        assert treated.treated(before, variant.module).share == 1
        assert not treated.broken_ties_note(before, variant.module)
        parts = [variant.module.get_submodule(name) for name in ("first", "second", "inner.0")]
        assert parts[0] is parts[1] is parts[2]
    assert state_dict_bytes(convert("dynamic-qint8", model, torch.rand(2, 16))[1].module) < 4_500


@pytest.mark.parametrize(
    ("technique", "share"), [("dynamic-qint8", 1.0), ("static-qint8", 0.01), ("range-linear:w8", 0.01)]
)
def test_recurrent_layers_count_where_they_are_treated(technique: str, share: float) -> None:
    before, variant = convert(technique, kinds.Recurrent(), torch.rand(2, 5, 4))
    assert count_parameters(variant.module) == before.params
    assert treated.treated(before, variant.module).share == pytest.approx(share, abs=0.01)
    left = treated.left_alone_note(before, variant.module)
    assert ("1 × LSTM (" in "".join(left)) == (share < 1)


def test_a_subclass_is_named_with_its_file_and_what_it_is_derived_from() -> None:
    model = nn.Sequential(kinds.Casting(8, 8), nn.ReLU(), nn.Linear(8, 3))
    before, variant = convert("dynamic-qint8", model, torch.rand(2, 8))
    [note] = treated.left_alone_note(before, variant.module)
    assert "1 × Casting of kinds.py, derived from nn.Linear, which it leaves alone (72)" in note


def test_folded_batch_norms_count_as_treated() -> None:
    before, variant = convert("static-qint8", kinds.transposed(), torch.rand(2, 4, 3, 3))
    assert count_parameters(variant.module) == before.params - 2 * 12 + 12
    assert treated.treated(before, variant.module).share == 1


def test_views_of_a_larger_tensor_are_said_and_shed() -> None:
    model = kinds.of_a_bank()
    size = state_dict_bytes(model)
    assert size > 4 * 1600 * 16
    assert "clone the weights" in view_note(model, size)[0]
    assert count_parameters(model) == 272 + 51
    assert not view_note(copy.deepcopy(model).half(), 0)
    assert not view_note(kinds.TiedHead(), 0), "tied weights are no views of more"
