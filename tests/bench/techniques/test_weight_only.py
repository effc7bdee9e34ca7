"""Weights of few bits are made by runtimes: PyTorch itself has no kernel that is worth a row."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.core.errors import UnsupportedError
from bench.runtimes.base import RUNTIMES
from bench.techniques.base import TECHNIQUES, Context
from tests.bench.examples import RUN

NAMES = ("weight-only-int8", "weight-only-int4")


@pytest.mark.parametrize("name", NAMES)
def test_on_eager_the_row_says_why_there_is_none_and_where_there_is_one(name: str) -> None:
    reason = RUNTIMES.get("eager").unsupported_reason(TECHNIQUES.get(name), RUN.machine, "cpu", "fbgemm")
    assert reason is not None
    assert "no fast CPU kernel" in reason
    assert reason.endswith("choose --runtime onnxruntime")
    assert RUNTIMES.get("onnxruntime").lacks(TECHNIQUES.get(name)) is None


@pytest.mark.parametrize("name", NAMES)
def test_no_module_is_made(name: str) -> None:
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: torch.rand(2, 4))
    with pytest.raises(UnsupportedError, match="no fast CPU kernel"):
        TECHNIQUES.get(name).convert(nn.Linear(4, 4), context)
