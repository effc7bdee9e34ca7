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
    pdf = "pdf"
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
        typer.Option(
            "--format", help="markdown, html, pdf, csv or json.  \\[default: what --out ends in, else markdown]"
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="The same as --format html.")] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="The same as --format pdf: the page, printed by Chromium.")
    ] = False,
) -> None:
    """Render run files again: as markdown with pictures, as one HTML page or a PDF; or their rows as CSV or JSON."""
    from bench.report.formats import report

    shorthands = [choice for choice, given in ((FormatChoice.html, html), (FormatChoice.pdf, pdf)) if given]
    chosen = {*shorthands, *([format_] if format_ else [])}
    if len(chosen) > 1:
        named = [*(f"--{choice.value}" for choice in shorthands), *([f"--format {format_.value}"] if format_ else [])]
        raise RequestError(f"{' and '.join(named)} cannot be combined; leave one out.")
    text = report(run_file, next(iter(chosen)).value if chosen else None, out)
    if out is None:
        show(text)
