"""The harness adds nothing to a runtime's call: what is timed is the runtime's own function, with its arguments."""

from __future__ import annotations

import functools
import sys

import pytest
import torch

from bench.core.inputs import Inputs
from tests.bench.runtimes.do_nothing import DO_NOTHING, INPUTS, nothing


@pytest.mark.parametrize("name", DO_NOTHING)
def test_no_function_of_ours_is_called_within_a_timed_call(name: str) -> None:
    """Counted, not timed: a function of Python's costs some 50 ns, and a bound one less than that."""
    call = DO_NOTHING[name]().bind(INPUTS)
    called: list[str] = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        call()
    finally:
        sys.setprofile(None)
    assert called == [nothing.__name__]
    assert isinstance(call, functools.partial)


def test_inputs_are_laid_out_before_a_call() -> None:
    transposed = torch.zeros(4, 3).T
    call = DO_NOTHING["inductor"]().bind(Inputs.of(transposed))
    assert isinstance(call, functools.partial)
    [given] = call.args[0]
    assert given.is_contiguous()
