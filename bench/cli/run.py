"""``bench run``: a suite, or models of the user's own, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import exit_code, show
from bench.options.option import several
from bench.options.run import RunOptions


@from_options
def command(
    options: RunOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for run.json and report.md.  \\[default: runs/SUITE]")
    ] = None,
) -> None:
    """Train or reload the models, apply every technique, measure, and write run.json and report.md.

    The same command goes on where an interrupted one stopped.
    """
    from bench.running.runner import run
    from bench.worker.user.model import SUITE, is_own

    models: list[str] = several(options.models)
    suite = SUITE if any(map(is_own, models)) else options.suite
    folder = out or Path("runs") / suite
    done = run.with_options(options.replaced(out=folder))
    from bench.cli.colour import paint
    from bench.report.markdown import result_tables

    show(result_tables(done, paint()))
    show(f"\n{folder / 'report.md'} has the whole report, {folder / 'run.json'} every sample.")
    raise typer.Exit(exit_code(done))
