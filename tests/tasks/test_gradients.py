"""A step's gradients, recorded on a GPU where there is one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.tasks.training.gradients import WARM_STEPS, Gradients, RecordedGradients

BATCH = 8


class Steps:
    """A small network that takes steps of SGD on the same batches, whichever way its gradients come."""

    def __init__(self, device: str) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).to(device)
        self.parameters = list(self.network.parameters())
        self.batches = [
            (torch.randn(size, 4, device=device), torch.randint(0, 3, (size,), device=device))
            for size in [BATCH] * (WARM_STEPS + 3) + [3] + [BATCH] * 2  # a short batch between whole ones
        ]

    def loss(self, inputs: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        return F.cross_entropy(self.network(*inputs), labels)

    def losses(self, gradients: Gradients) -> list[float]:
        optimizer = torch.optim.SGD(self.parameters, lr=0.1, momentum=0.9)
        values = []
        for inputs, labels in self.batches:
            values.append(gradients.take((inputs,), labels))
            optimizer.step()
        return [value.item() for value in values]  # at the end: a replay must not change an earlier loss


def test_gradients_are_those_of_the_batch_alone() -> None:
    steps = Steps("cpu")
    gradients = Gradients(steps.loss, torch.autograd.backward, steps.parameters)
    for inputs, labels in steps.batches[:2]:
        taken = gradients.take((inputs,), labels)
        wanted = torch.autograd.grad(steps.loss((inputs,), labels), steps.parameters)
        assert not taken.requires_grad
        for parameter, gradient in zip(steps.parameters, wanted, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU to record on")
def test_recorded_steps_are_those_that_run() -> None:
    plain, recorded = Steps("cuda"), Steps("cuda")
    run = plain.losses(Gradients(plain.loss, torch.autograd.backward, plain.parameters))
    replayed = recorded.losses(
        RecordedGradients(recorded.loss, torch.autograd.backward, recorded.parameters, size=BATCH)
    )
    assert replayed == pytest.approx(run, rel=1e-4)
    for (name, value), other in zip(
        plain.network.state_dict().items(), recorded.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, other, msg=name)
