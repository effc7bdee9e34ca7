"""Verdicts have colours where a terminal shows them, and the same words everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.options.run import RunOptions
from bench.options.signature import from_options
from bench.results.run import Run
from tests.bench.conftest import Command
from tests.bench.sessions import session

_ESCAPE = re.compile(r"\x1b\[\d+m")


@pytest.fixture
def shown(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What 'bench run' prints of a run with a faster and a slower variant."""

    @from_options(RunOptions)
    def run(options: RunOptions) -> Run:
        return session(1, slower={"fp16": 1.5, "dynamic-qint8": 0.5})

    monkeypatch.setattr("bench.running.runner.run", run)
    return command("run", "--out", str(tmp_path))[1]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("on_a_terminal")
def test_a_terminal_shows_verdicts_in_colour(shown: str) -> None:
    coloured = re.findall(r"\x1b\[(\d+)m([^\x1b]*)\x1b\[0m", shown)
    words = {(code, text.split()[-1]) for code, text in coloured}
    good, bad = {("32", "faster"), ("32", "better")}, {("31", "slower"), ("31", "worse")}
    assert words <= good | bad
    assert words >= {("32", "faster"), ("31", "slower")}


@pytest.mark.usefixtures("on_a_terminal")
def test_colours_move_no_column(shown: str) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", _ESCAPE.sub("", shown), re.MULTILINE):
        assert len({len(line) for line in block.splitlines()}) == 1


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(
    on_a_terminal: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    text = request.getfixturevalue("shown")
    assert not _ESCAPE.search(text)
    assert " faster " in text
    assert " slower " in text


def test_a_pipe_gets_no_colours(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    assert not _ESCAPE.search(request.getfixturevalue("shown"))
