"""A group of options of each kind; its annotations are evaluated, as ``bench.options`` has them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bench.options.group import Options, option_group
from bench.options.notations import SHARE, WIDTHS
from bench.options.option import option

Drink = Literal["tea", "coffee"]


@option_group
class Breakfast(Options):
    """What is on the table."""

    place: str = option(kw_only=False, flag="WHERE")
    """Such as home."""
    guests: int = option(default=2, check=lambda guests: None if guests else "must be 1 or more")
    """How many eat."""
    drink: Drink = option(default="tea")
    """What is drunk."""
    drinks: Sequence[Drink] = option(default=("tea", "coffee"), flag="--also")
    """What else is drunk."""
    eggs: int | Sequence[int] = option(default=(4, 6), flag="--egg")
    """Minutes of an egg."""
    dishes: str | Sequence[str] = option(default=())
    """What is eaten."""
    tip: float = option(default=0.1, notation=SHARE)
    """Share of the bill."""
    widths: Sequence[int] = option(default=(3, 2), notation=WIDTHS)
    """Of the tables."""
    budget_s: float | None = option(default=None, flag="--budget", unset="until noon")
    """Seconds at the table."""
    paper: Path | str | None = option(default=None)
    """What is read."""
    outside: bool = option(default=False)
    """Sit in the sun."""
    waiter: str = option(default="Jo", flag=None)
    """Only the library knows."""
