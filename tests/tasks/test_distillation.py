"""The loss of learning from a teacher, against numbers worked by hand (Hinton et al. 2015; Mirzadeh et al. 2020)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.tasks.dataset import Split
from bench.tasks.task import Recipe
from bench.tasks.training.distillation import Distillation
from bench.tasks.training.loop import train
from tests.tasks.test_training import CPU, form_of, points


class Says(nn.Module):
    """A teacher with the same logits whatever it is asked."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.logits * 1.0


def loss(student: Tensor, teacher: list[list[float]], labels: list[int], weight: float, temperature: float) -> Tensor:
    distillation = Distillation(Says(teacher).requires_grad_(False), weight, temperature)
    return distillation.loss(student, torch.tensor(labels), (torch.zeros(len(labels), 1),))


UNSURE = [[0.0, 0.0]] * 2
SURE = [[2 * math.log(3), 0.0]] * 2
"""At temperature 2 the probabilities are 3/4 and 1/4."""


def test_a_worked_example() -> None:
    # Cross-entropy ln 2; divergence of (3/4, 1/4) from (1/2, 1/2): 3/4 ln 3/2 + 1/4 ln 1/2 = 0.1308 for each example.
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    found = loss(torch.tensor(UNSURE), SURE, [0, 1], weight=0.25, temperature=2.0)
    assert found.item() == pytest.approx(0.75 * math.log(2) + 0.25 * 4 * divergence)
    assert found.item() == pytest.approx(0.650672, abs=1e-6)


def random_logits(seed: int, classes: int = 5) -> Tensor:
    return 3 * torch.randn(4, classes, generator=torch.Generator().manual_seed(seed))


def test_with_weight_0_it_is_the_cross_entropy() -> None:
    student, labels = random_logits(0), [0, 1, 2, 3]
    expected = F.cross_entropy(student, torch.tensor(labels))
    assert torch.equal(loss(student, random_logits(1).tolist(), labels, weight=0.0, temperature=4.0), expected)


def test_with_weight_1_the_labels_do_not_matter() -> None:
    student, teacher = random_logits(0), random_logits(1).tolist()
    one, other = (
        loss(student, teacher, labels, weight=1.0, temperature=2.0) for labels in ([0, 1, 2, 3], [4, 4, 4, 4])
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 20.0])
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_mean_is_over_examples_and_not_over_classes_too(classes: int, temperature: float) -> None:
    student, teacher = random_logits(0, classes), random_logits(1, classes)
    p, q = (torch.softmax(logits.double() / temperature, dim=1) for logits in (teacher, student))
    expected = temperature**2 * (p * (p / q).log()).sum() / 4
    found = loss(student, teacher.tolist(), [0, 0, 0, 0], weight=1.0, temperature=temperature)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_student_that_agrees_has_nothing_to_learn_from_its_teacher() -> None:
    logits = random_logits(0)
    assert loss(logits, logits.tolist(), [0, 0, 0, 0], weight=1.0, temperature=3.0).item() == pytest.approx(0, abs=1e-6)


def test_the_gradient_is_both_parts_and_none_reaches_the_teacher() -> None:
    student = torch.zeros(2, 2, requires_grad=True)
    teacher = Says(SURE)
    Distillation(teacher, 0.25, 2.0).loss(student, torch.tensor([0, 1]), (torch.zeros(2, 1),)).backward()
    assert teacher.logits.grad is None
    # Of the mean over 2 examples: 3/4 (1/2 − label) from the cross-entropy, 1/4 · 2 (1/2 − 3/4) from the divergence.
    expected = [
        [(0.75 * -0.5 - 0.125) / 2, (0.75 * 0.5 + 0.125) / 2],
        [(0.75 * 0.5 - 0.125) / 2, (0.75 * -0.5 + 0.125) / 2],
    ]
    assert student.grad is not None
    torch.testing.assert_close(student.grad, torch.tensor(expected))


def test_the_teacher_is_called_with_what_the_student_is_called_with() -> None:
    class Adds(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return left + right

    student = random_logits(0)
    found = Distillation(Adds(), 1.0, 1.0).loss(student, torch.zeros(4).long(), (0.25 * student, 0.75 * student))
    assert found.item() == pytest.approx(0, abs=1e-6)


def test_a_training_follows_the_teacher_where_the_labels_are_wrong() -> None:
    recipe = Recipe(epochs=4, batch_size=10, optimizer="sgd", learning_rate=0.1)
    split = points()
    teacher = train(form_of(recipe, split), "float32", 0, CPU).network
    before = [parameter.detach().clone() for parameter in teacher.parameters()]
    form = form_of(recipe, Split(split.features, 1 - split.labels))
    student = train(form, "float32", 0, CPU, distillation=Distillation(teacher, 1.0, 2.0)).network
    inputs = split.features["points"]
    with torch.no_grad():
        assert (student(inputs).argmax(1) == teacher(inputs).argmax(1)).float().mean() > 0.95
        assert (student(inputs).argmax(1) == split.labels).float().mean() > 0.8
    assert all(torch.equal(*pair) for pair in zip(teacher.parameters(), before, strict=True))
