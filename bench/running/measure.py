"""``bench.measure``: a model that the calling process holds, after each technique."""

from __future__ import annotations

from bench.options.run import MeasureOptions, RunOptions
from bench.options.shared import LatencyOptions
from bench.options.signature import from_options
from bench.results.run import Run
from bench.running.runner import run_here
from bench.tasks.temporary import temporary_folder
from bench.worker.user.in_memory import user_model_in_memory


@from_options(MeasureOptions)
def measure(options: MeasureOptions) -> Run:
    """Apply techniques to a trained module, in its present state, and measure; the module itself stays as it is.

    Each variant is measured in a process of its own, to which model and callables are copied: classes of notebooks and
    scripts go along, open files and generators cannot. Raises ``bench.QuantbenchError`` for what cannot be
    measured.
    """
    with temporary_folder() as folder:  # of this user alone
        definition = user_model_in_memory(
            options.model,
            folder,
            inputs=options.example_inputs,
            evaluate=options.evaluate,
            calibrate=options.calibrate,
            train=options.train,
            name=options.name,
        )
        request = RunOptions(
            techniques=options.techniques,
            runtimes=options.runtimes,
            out=options.out,
            **options.shared(LatencyOptions),
        )
        return run_here(request, [definition])
