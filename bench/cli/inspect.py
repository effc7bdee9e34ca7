"""``bench inspect``: what a technique makes of each layer's weights."""

from __future__ import annotations

from pathlib import Path

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.studies import InspectOptions


@from_options
def command(options: InspectOptions) -> None:
    """Look at what a technique makes of each layer's weights: levels, signal to noise, scores by rule.

    Trains the model if its weights are not there.
    """
    from bench.core.files import write_atomically
    from bench.report.inspection import render
    from bench.studies.inspect import inspect

    text = render(inspect.with_options(options))
    if options.out is not None:
        write_atomically(Path(options.out) / "inspection.md", text + "\n")
    show(text)
