"""``bench.measure``: a model that the calling process holds, after each technique."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.core.errors import UserModelError
from bench.options.run import MeasureOptions, RunOptions
from bench.options.shared import LatencyOptions
from bench.options.signature import from_options
from bench.results.run import Run
from bench.running.runner import run_here
from bench.worker.user.callables import Part, PickledPart
from bench.worker.user.model import SUITE, UserModel


@from_options(MeasureOptions)
def measure(options: MeasureOptions) -> Run:
    """Apply techniques to a trained module, in its present state, and measure; the module itself stays as it is.

    Each variant is measured in a process of its own, to which model and callables are copied: classes of notebooks and
    scripts go along, open files and generators cannot. Raises ``bench.QuantbenchError`` for what cannot be
    measured.
    """
    from torch import nn

    model = options.model
    if not isinstance(model, nn.Module):
        raise UserModelError(f"model is a {type(model).__name__}; give a torch.nn.Module.")
    named = options.name or type(getattr(model, "_orig_mod", model)).__name__
    with tempfile.TemporaryDirectory(prefix="quantbench-") as folder:  # of this user alone

        def part(value: object, called: str, title: str) -> Part:
            return PickledPart.save(value, Path(folder) / f"{called}.pickle", title, called)

        def optional(value: object, called: str) -> Part | None:
            return None if value is None else part(value, called, getattr(value, "__name__", called))

        definition = UserModel(
            task=SUITE,
            name_in_task=named,
            model=part(model, "the model", named),
            inputs=part(options.example_inputs, "example_inputs", "example_inputs"),
            evaluate=optional(options.evaluate, "evaluate"),
            calibrate=optional(options.calibrate, "calibrate"),
        )
        request = RunOptions(
            techniques=options.techniques,
            runtimes=options.runtimes,
            out=options.out,
            **options.shared(LatencyOptions),
        )
        return run_here(request, [definition])
