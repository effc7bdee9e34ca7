"""What the user's evaluate function is called with, and what it may return."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bench.core.copies import copy_of
from bench.core.errors import UserModelError
from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.core.tensors import changed, tensors_in
from bench.results.row import Accuracy
from bench.runtimes.base import Executable
from bench.techniques.base import Artifact
from bench.worker.user.callables import Part, called


class CallableLikeTheModel(nn.Module):
    """A variant that takes what the float32 model takes, on any device, and returns float32 there.

    It is a copy, in eval mode: what the user's function does to it, such as ``model.train()``, is not timed.
    """

    def __init__(
        self,
        answered_by: Artifact | Executable,
        device: torch.device,
        report: Report = lambda done, total: None,
    ) -> None:
        """``answered_by`` is an executable on other runtimes than eager: nothing done to a module changes it.

        ``report`` is called at each call, to show that the process is alive.
        """
        super().__init__()
        self._forward: Callable[..., Any]
        if isinstance(answered_by, Artifact):
            copied = copy_of(answered_by, answered_by.module)
            self.module, self._forward = copied.module, copied.forward
        else:
            self._forward = lambda *args, **kwargs: answered_by.outputs(Inputs(args, kwargs))
        self._dtype = getattr(torch, answered_by.input_dtype)
        self._device = device
        self._report = report
        self.eval()

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Cast floating-point inputs as the variant needs them, and its outputs back."""
        self._report(0, 1)
        given = next(tensors_in((inputs, named)), None)
        there = given.device if given is not None else torch.device("cpu")

        def forth(value: Tensor) -> Tensor:
            return value.to(self._device, self._dtype) if value.is_floating_point() else value.to(self._device)

        def back(value: Tensor) -> Tensor:
            return value.to(there, torch.float32) if value.is_floating_point() else value.to(there)

        inputs, named = changed((inputs, named), forth)
        return changed(self._forward(*inputs, **named), back)


def judge(part: Part, model: CallableLikeTheModel) -> tuple[Accuracy | None, float | None]:
    """Return the accuracy of a variant as (correct, total), or as a fraction where the function returns one.

    Raises ``UserModelError`` if it raises, or returns neither.
    """
    with torch.no_grad():
        returned = called(part.words, part.load(), model)
    return accuracy_in(returned, part.words)


def accuracy_in(returned: Any, words: str) -> tuple[Accuracy | None, float | None]:
    """Read what an evaluate function returned: a share from 0 to 1, or the pair (correct, total)."""
    advice = "return a share from 0 to 1, or the pair (correct, total)"
    if returned is None:
        raise UserModelError(f"{words} returned nothing; {advice}.")
    if isinstance(returned, tuple | list):
        counts = [_number(value) for value in returned]
        if len(counts) != 2 or not all(count.is_integer() for count in counts) or not 0 <= counts[0] <= counts[1]:
            raise UserModelError(f"{words} returned {returned!r}, which is not (correct, total); {advice}.")
        if not counts[1]:
            raise UserModelError(f"{words} returned {returned!r}, a total of 0 examples; {advice}.")
        return Accuracy(correct=int(counts[0]), total=int(counts[1])), None
    share = _number(returned)
    if not 0 <= share <= 1:
        shown = returned if not math.isnan(share) or isinstance(returned, float) else type(returned).__name__
        way_out = "divide a percentage by 100" if 1 < share <= 100 else advice
        raise UserModelError(f"{words} returned {shown}, which is not an accuracy; {way_out}.")
    return None, share


def _number(value: Any) -> float:
    """Return a number, numpy's or torch's scalars included; NaN for anything else."""
    if isinstance(value, bool | str | bytes):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan
