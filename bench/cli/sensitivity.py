"""``bench sensitivity``: which layers a technique hurts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import exit_code, show
from bench.core.errors import RequestError
from bench.options.studies import DEFAULT_MAX_DROP_PP, SensitivityOptions


@from_options
def command(
    options: SensitivityOptions,
    recommend: Annotated[
        bool, typer.Option("--recommend", help="Find the smallest mixture of the techniques within --max-drop.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for sensitivity.json, .md and .svg.")] = Path("runs/sensitivity"),
) -> None:
    """Find out which layers a technique hurts: each quantized alone, then all but each.

    Trains the model if its weights are not there. With --recommend, searches for the smallest mixture of the techniques
    that loses no more than --max-drop, and measures it beside them.
    """
    from bench.cli.colour import paint
    from bench.core.files import require_writable, write_atomically
    from bench.report.sensitivity import PICTURE_FILE, render
    from bench.report.sensitivity_picture import draw
    from bench.studies.sensitivity.study import sensitivity

    if options.max_drop_pp is not None and not recommend:
        raise RequestError("--max-drop is for --recommend; give that too, or leave it out.")
    if recommend and options.max_drop_pp is None:
        options = options.replaced(max_drop_pp=DEFAULT_MAX_DROP_PP)
    require_writable(out)
    study = sensitivity.with_options(options)
    write_atomically(out / "sensitivity.json", study.model_dump_json(indent=1) + "\n")
    write_atomically(out / "sensitivity.md", render(study))
    draw(study, out / PICTURE_FILE)
    show(render(study, picture=None, paint=paint()))
    recommended = [study.recommendation.run] if study.recommendation else []
    raise typer.Exit(max(map(exit_code, [study.run, *recommended])))
