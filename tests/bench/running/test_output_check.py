"""Outputs that are not fp32's are said aloud."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.results.evaluation import Evaluation
from bench.running.output_check import warning

FP32 = np.array([1.0, -2.0, 0.5, 2.0], dtype=np.float32)
NAN = float("nan")


def evaluation(outputs: Any = None, answers: Any = None) -> Evaluation:
    return Evaluation(
        outputs=None if outputs is None else np.asarray(outputs, dtype=np.float32),
        answers=None if answers is None else np.asarray(answers, dtype=np.int16),
    )


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (FP32, None),
        (1.49 * FP32, None),
        (1.51 * FP32, "are 51.00 % off"),
        ([NAN, NAN, 0.5, 2.0], "50.00 % of those for the example inputs are NaN or infinite"),
        ([0.1, 0.1, 0.1, 0.1], "are all the same number"),
        (FP32[:3], "are 3 numbers, and fp32's 4"),
    ],
)
def test_outputs_far_from_fp32s(outputs: Any, said: str | None) -> None:
    note = warning(evaluation(FP32), evaluation(outputs))
    if said is None:
        assert note is None
    else:
        assert note is not None
        assert note.startswith("its outputs are not fp32's: ")
        assert said in note


def test_one_answer_to_everything() -> None:
    various, always = evaluation(answers=[0, 1, 2]), evaluation(answers=[1, 1, 1])
    assert "same answer" in str(warning(various, always))
    assert warning(always, always) is None
    assert warning(various, various) is None


def test_what_fp32_does_too_is_no_fault() -> None:
    assert warning(evaluation([NAN, 1, 2]), evaluation([NAN, 1, 2])) is None
    assert warning(evaluation([1, 1]), evaluation([1, 1])) is None
    assert warning(evaluation(), evaluation()) is None
