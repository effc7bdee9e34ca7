"""``bench compare``: runs beside each other, and the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.output import show


def command(
    run_file: Annotated[list[Path], typer.Argument(help="Two or more run.json.", metavar="A.json B.json...")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit with 1 if a row of a later run does this beside the first: 'latency > 5%'; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, .md with pictures beside it or .json.  \\[default: the terminal]"),
    ] = None,
) -> None:
    """Compare runs: speed-ups between machines, and row by row what changed between runs of one machine.

    --fail-if takes latency (latency@64 for one batch size), size, packed, params and memory in %, and accuracy in pp:
    'accuracy < -0.5pp'. A difference that noise explains never fails; a row that vanished does.
    """
    from bench.comparing import gate
    from bench.comparing.comparison import compare
    from bench.report import compared
    from bench.report.machines import render
    from bench.results.run_file import load, require_other_file

    rules = [gate.parse(text) for text in fail_if or ()]
    runs = [load(path) for path in run_file]
    if out is not None:
        require_other_file(out, run_file)
    comparison = compare(*runs, gated=bool(rules))
    outcome = gate.check(comparison, rules) if rules else None
    if out is None:
        show(render(comparison))
    else:
        compared.write(comparison, runs, out)
    if outcome is not None:
        show(("\n" if out is None else "") + gate.words(outcome))
        raise typer.Exit(1 if outcome.broken else 0)
