"""Colours of verdicts on a terminal. The words stay, so that nothing is lost without colours."""

from __future__ import annotations

import typer
from rich.console import Console

from bench.report.tables import Figure, Paint

GOOD, BAD = typer.colors.GREEN, typer.colors.RED
COLOURS = {"faster": GOOD, "better": GOOD, "slower": BAD, "worse": BAD}


def paint() -> Paint:
    """Return what colours figures by their verdicts; where standard output shows no colours, it leaves them.

    That is a file, a pipe, a terminal without colours, and wherever ``NO_COLOR`` is set (https://no-color.org);
    ``FORCE_COLOR`` colours what goes through a pipe, too.
    """
    console = Console()
    shown = console.is_terminal and console.color_system is not None and not console.no_color
    return _painted if shown else str


def _painted(figure: Figure) -> str:
    colour = COLOURS.get(figure.word)
    return typer.style(figure, fg=colour) if colour else figure
