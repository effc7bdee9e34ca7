"""``bench report``: run files rendered again."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.output import show
from bench.core.errors import RequestError


class FormatChoice(enum.StrEnum):
    """Values of ``--format``."""

    markdown = "markdown"
    html = "html"
    csv = "csv"
    json = "json"


def command(
    run_file: Annotated[
        list[Path], typer.Argument(help="One or more run.json, or files of pytest-benchmark.", metavar="RUN.json...")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; markdown's pictures go beside it.  \\[default: the terminal]")
    ] = None,
    format_: Annotated[
        FormatChoice | None,
        typer.Option("--format", help="markdown, html, csv or json.  \\[default: what --out ends in, else markdown]"),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="The same as --format html.")] = False,
) -> None:
    """Render run files again: as markdown with pictures, or as one HTML page; or their rows as CSV or JSON."""
    from bench.report.formats import report

    if html and format_ not in (None, FormatChoice.html):
        raise RequestError(f"--html and --format {format_.value} cannot be combined; leave one out.")
    chosen = FormatChoice.html if html else format_
    text = report(run_file, chosen.value if chosen else None, out)
    if out is None:
        show(text)
