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
    allow_undecided: Annotated[
        bool, typer.Option("--allow-undecided", help="Let --fail-if pass where noise hides what it asks for.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, .md with pictures beside it or .json.  \\[default: the terminal]"),
    ] = None,
) -> None:
    """Compare runs: speed-ups between machines, and row by row what changed between runs of one machine.

    --fail-if takes latency (latency@64 for one batch size), size, packed, params and memory in %, and accuracy in pp:
    'accuracy < -0.5pp'. The exit code is 1 if a change beyond the limit is significant, or a row or figure vanished; 3
    if some figure is not known well enough to say, unless --allow-undecided; 0 if all are within their limits.
    """
    from bench.cli.colour import paint
    from bench.comparing import gate
    from bench.comparing.comparison import compare
    from bench.comparing.gate_rule import parse
    from bench.core.errors import RequestError
    from bench.report import compared
    from bench.report.machines import render
    from bench.results.run_file import load, require_other_file

    rules = [parse(text) for text in fail_if or ()]
    if allow_undecided and not rules:
        raise RequestError("--allow-undecided is for --fail-if; give a rule, for example --fail-if 'latency > 5%'.")
    runs = [load(path) for path in run_file]
    if out is not None:
        require_other_file(out, run_file)
    comparison = compare(*runs, rules=rules)
    outcome = gate.check(comparison) if rules else None
    if out is None:
        show(render(comparison, paint=paint()))
    else:
        compared.write(comparison, runs, out)
    if outcome is not None:
        show(("\n" if out is None else "") + gate.words(outcome, allow_undecided=allow_undecided))
        raise typer.Exit(outcome.exit_code(allow_undecided=allow_undecided))
