"""``bench selfcheck``: how far this machine's latencies can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.studies import SelfCheckOptions


@from_options
def command(
    options: SelfCheckOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for selfcheck.json and selfcheck.md.  \\[default: the terminal alone]")
    ] = None,
) -> None:
    """Find out, in some two minutes, how far this machine's latencies can be trusted.

    Measures models of which the truth is known: one against itself, one whose calls take 5 % longer, calls of a known
    time, and one speed-up from several fresh starts beside torch.utils.benchmark. Exit code 1 if that went wrong.
    """
    from bench.core.files import require_writable, write_atomically

    if out is not None:
        require_writable(out)
    from bench.report.selfcheck import faults, render
    from bench.studies.selfcheck import self_check

    check = self_check.with_options(options)
    text = render(check)
    if out is not None:
        write_atomically(out / "selfcheck.json", check.model_dump_json(indent=1) + "\n")
        write_atomically(out / "selfcheck.md", text + "\n")
    show(text)
    raise typer.Exit(1 if faults(check) else 0)
