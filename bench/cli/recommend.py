"""``bench recommend``: what to deploy, by the figures of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.core.errors import RequestError
from bench.options.studies import RecommendOptions


@from_options
def command(
    options: RecommendOptions,
    out: Annotated[Path | None, typer.Option(help="File to write, .md or .json.  \\[default: the terminal]")] = None,
) -> None:
    """Say which variant of each model of a run to deploy: what it gains over fp32, what it loses, and how to export it.

    A variant is recommended only if the data show that it keeps to the limits; of others it is said what would tell.
    """
    from bench.core.files import write_atomically
    from bench.report.recommendation import render
    from bench.studies.recommend import recommend

    if out is not None and out.suffix.lower() not in (".json", ".md", ".markdown", ""):
        raise RequestError(f"--out {out} is neither .md nor .json; name such a file.")
    made = recommend.with_options(options)
    if out is None:
        show(render(made))
    elif out.suffix.lower() == ".json":
        write_atomically(out, made.model_dump_json(indent=1) + "\n")
    else:
        write_atomically(out, render(made) + "\n")
