"""A command's options are its group's: flags, types, defaults and help come from the fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from bench.cli import distill, export, inspect, run, selfcheck, sensitivity, train
from bench.cli.from_options import from_options
from bench.core.errors import RequestError
from bench.options.run import RunOptions
from tests.bench.cli.example_options import Breakfast

SERVED: list[tuple[Breakfast, Path]] = []


@from_options
def serve(options: Breakfast, out: Annotated[Path, typer.Option(help="Folder for the bill.")] = Path("bills")) -> None:
    """Serve breakfast."""
    SERVED.append((options, out))


def served(*arguments: str) -> tuple[Breakfast, Path]:
    app = typer.Typer()
    app.command()(serve)
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return SERVED.pop()


def test_without_options_a_command_takes_the_defaults_of_the_group() -> None:
    assert served("home") == (Breakfast("home"), Path("bills"))


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("--guests 3", {"guests": 3}),
        ("--drink coffee", {"drink": "coffee"}),
        ("--also coffee", {"drinks": ("coffee",)}),
        ("--egg 5 --egg 7", {"eggs": (5, 7)}),
        ("--dishes toast --dishes jam", {"dishes": ("toast", "jam")}),
        ("--tip 20%", {"tip": 0.2}),
        ("--widths 8,4", {"widths": (8, 4)}),
        ("--budget 60", {"budget_s": 60.0}),
        ("--paper news.txt", {"paper": Path("news.txt")}),
        ("--outside", {"outside": True}),
    ],
)
def test_an_option_is_read_as_its_field_says(arguments: str, options: dict[str, Any]) -> None:
    assert served("home", *arguments.split())[0] == Breakfast("home", **options)


def test_a_choice_is_a_plain_word_to_the_library() -> None:
    options, _ = served("home", "--drink", "coffee", "--also", "tea")
    assert [type(word) for word in (options.drink, *options.drinks)] == [str, str]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--guests 0", "--guests 0 must be 1 or more."),
        ("--tip much", "--tip 'much' must be a share, such as 2% or 0.02."),
        ("--widths 8,x", "--widths '8,x' must be bit widths, such as 32,8,1."),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: str, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        served("home", *arguments.split())
    assert str(refused.value) == sentence


def test_what_the_library_alone_has_is_no_option() -> None:
    app = typer.Typer()
    app.command()(serve)
    result = CliRunner().invoke(app, ["home", "--waiter", "Al"])
    assert result.exit_code == 2


def help_of(command: Any) -> str:
    app = typer.Typer()
    app.command()(command)
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300", "TERM": "dumb"}).output
    return " ".join(text.replace("│", " ").split())


def test_the_help_is_the_docstrings_and_the_defaults() -> None:
    text = help_of(serve)
    assert "Serve breakfast." in text
    assert "WHERE" in text
    assert "What is drunk. [default: tea]" in text
    assert "What else is drunk; repeatable. [default: tea, coffee]" in text
    assert "Minutes of an egg; repeatable. [default: 4, 6]" in text
    assert "What is eaten; repeatable. --tip" in text
    assert "Share of the bill. [default: 10%]" in text
    assert "Of the tables. [default: 3,2]" in text
    assert "Seconds at the table. [default: until noon]" in text
    assert "Folder for the bill. [default: bills]" in text
    assert "Only the library knows" not in text


@pytest.mark.parametrize("command", [run, train, distill, sensitivity, export, inspect, selfcheck])
def test_every_command_says_what_its_options_are_for(command: Any) -> None:
    parameters = command.command.__signature__.parameters.values()
    assert all(parameter.annotation.__metadata__[0].help for parameter in parameters)


def test_flags_do_not_collide() -> None:
    flags = [option.flag for option in RunOptions.declared if option.flag]
    assert len(set(flags)) == len(flags)
