"""BatchNorm's statistics, taken anew once the weights are final."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from bench.tasks.training.loop import train
from bench.tasks.training.statistics import reestimate
from tests.tasks.test_training import CPU, RECIPE, Points, form_of, points, spec_of, trained


def normalized(split_size: int = 100) -> tuple[nn.Module, nn.BatchNorm1d, object]:
    """A network of one BatchNorm over the plane's points, after steps that left other statistics."""
    norm = nn.BatchNorm1d(2)
    norm.running_mean = torch.full((2,), 9.0)
    norm.running_var = torch.full((2,), 9.0)
    module = nn.Sequential(norm).train()
    return module, norm, Points().training_form(spec_of(RECIPE), module, points(split_size))


def test_the_statistics_are_those_of_the_training_examples() -> None:
    module, norm, form = normalized()
    reestimate(form, module, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    values = points().features["points"]
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_mean, values.mean(0))  # ten batches of ten
    assert norm.running_var.tolist() == pytest.approx(values.var(0).tolist(), rel=0.3)  # of ten within each batch
    assert norm.momentum == 0.1


def test_a_small_last_batch_does_not_count() -> None:
    module, norm, form = normalized(101)
    reestimate(form, module, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    assert norm.num_batches_tracked is not None
    assert norm.num_batches_tracked.item() == 10


def test_weights_stay_as_they_were_trained() -> None:
    usual, anew = trained(RECIPE), trained(replace(RECIPE, reestimate=True))
    assert torch.equal(usual, anew)


def test_a_training_ends_with_statistics_of_its_last_weights() -> None:
    recipe = replace(RECIPE, reestimate=True, learning_rate=0.5)
    networks = []
    for one in (recipe, replace(recipe, reestimate=False)):
        form = form_of(one, points())
        torch.manual_seed(1)
        form.network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
        networks.append(train(form, "float32", 0, CPU).network)
    off = []
    for network in networks:
        assert isinstance(network, nn.Sequential)
        norm = network[1]
        assert isinstance(norm, nn.BatchNorm1d)
        assert norm.running_mean is not None
        hidden = network[0](points().features["points"])
        off.append((norm.running_mean - hidden.mean(0)).abs().max().item())
    assert off[0] < 1e-5 < off[1]
