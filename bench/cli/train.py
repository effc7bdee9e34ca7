"""``bench train``: weights beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.studies import TrainOptions


@from_options
def command(
    options: TrainOptions,
    out: Annotated[Path | None, typer.Option(help="Folder for training.json.  \\[default: the terminal alone]")] = None,
) -> None:
    """Train a model for some techniques, side by side, and say what accuracy each reached.

    The weights are kept: 'bench run' with the same --epochs and --training-precision finds those that were trained by
    the model's own recipe from random weights. The same command goes on where an interrupted one stopped. A training
    that fails has a line that says why, and the exit code is 1.
    """
    from bench.core.files import require_writable, write_atomically
    from bench.studies.train import render, train

    if out is not None:
        require_writable(out)
    trained = train.with_options(options)
    if out is not None:
        content = ",\n".join(model.model_dump_json(indent=1) for model in trained)
        write_atomically(out / "training.json", f"[{content}]\n")
    show(render(trained))
    raise typer.Exit(1 if any(model.reason for model in trained) else 0)
