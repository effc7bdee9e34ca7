"""What a user's evaluate function may return, and a sentence for anything else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.core.errors import UserModelError
from bench.results.row import Accuracy
from bench.worker.user.evaluate import accuracy_in


@pytest.mark.parametrize(
    ("returned", "accuracy", "share"),
    [
        (0.5, None, 0.5),
        (1, None, 1.0),
        (np.float32(0.25), None, 0.25),
        (torch.tensor(0.75), None, 0.75),
        ((3, 4), Accuracy(correct=3, total=4), None),
        ([torch.tensor(3), 4], Accuracy(correct=3, total=4), None),
        ((0, 4), Accuracy(correct=0, total=4), None),
    ],
)
def test_a_share_or_a_pair_is_an_accuracy(returned: object, accuracy: Accuracy | None, share: float | None) -> None:
    assert accuracy_in(returned, "accuracy()") == (accuracy, share)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "accuracy() returned nothing; return a share from 0 to 1, or the pair (correct, total)."),
        (float("nan"), "accuracy() returned nan, which is not an accuracy; return a share"),
        (-0.1, "accuracy() returned -0.1, which is not an accuracy; return a share"),
        (93.5, "accuracy() returned 93.5, which is not an accuracy; divide a percentage by 100."),
        (1e9, "accuracy() returned 1000000000.0, which is not an accuracy; return a share"),
        (True, "accuracy() returned bool, which is not an accuracy"),
        ("0.9", "accuracy() returned str, which is not an accuracy"),
        (torch.rand(3), "accuracy() returned Tensor, which is not an accuracy"),
        ((4, 3), "accuracy() returned (4, 3), which is not (correct, total)"),
        ((0.5, 1), "accuracy() returned (0.5, 1), which is not (correct, total)"),
        ((1, 2, 3), "accuracy() returned (1, 2, 3), which is not (correct, total)"),
        ((float("inf"), float("inf")), "accuracy() returned (inf, inf), which is not (correct, total)"),
        ((0, 0), "accuracy() returned (0, 0), a total of 0 examples"),
    ],
)
def test_anything_else_is_one_sentence(returned: object, sentence: str) -> None:
    with pytest.raises(UserModelError) as caught:
        accuracy_in(returned, "accuracy()")
    assert str(caught.value).startswith(sentence)
