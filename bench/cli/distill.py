"""``bench distill``: one model at falling bit widths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.studies import DistillOptions


@from_options
def command(
    options: DistillOptions,
    out: Annotated[Path, typer.Option(help="Folder for distillation.json and .md.")] = Path("runs/distill"),
) -> None:
    """Train a model at falling bit widths: alone, taught by the widest, and taught along the chain.

    The same command goes on where an interrupted one stopped. What fails is listed below the table, and the exit code
    is 1.
    """
    from bench.core.files import require_writable, write_atomically
    from bench.report.distillation import render
    from bench.studies.distill import distill

    require_writable(out)
    done = distill.with_options(options)
    write_atomically(out / "distillation.json", done.model_dump_json(indent=1) + "\n")
    write_atomically(out / "distillation.md", render(done) + "\n")
    show(render(done))
    raise typer.Exit(1 if any(student.reason for student in done.students) else 0)
