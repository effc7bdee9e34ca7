"""Verdicts have colours where a terminal shows them, and the same words everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.options.run import RunOptions
from bench.options.signature import from_options
from bench.options.studies import SensitivityOptions
from bench.results import run_file
from bench.results.run import Run
from bench.results.sensitivity import Sensitivity
from tests.bench.conftest import Command
from tests.bench.report.test_sensitivity import STUDY
from tests.bench.sessions import session

_ESCAPE = re.compile(r"\x1b\[\d+m")
GOOD, BAD = {("32", "faster"), ("32", "better")}, {("31", "slower"), ("31", "worse")}
WORDS = {
    "run": {("32", "faster"), ("31", "slower")},
    "compare": {("32", "faster"), ("31", "slower"), ("31", "worse")},
    "sensitivity": {("31", "worse")},
}
"""The verdicts that the tables of a command have here, and their colours."""


@pytest.fixture(params=list(WORDS))
def name(request: pytest.FixtureRequest) -> str:
    """A command whose tables have verdicts."""
    return str(request.param)


@pytest.fixture
def shown(name: str, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What it prints: of a faster and a slower variant, of two sessions that differ so, of layers that lose."""

    @from_options(RunOptions)
    def run(options: RunOptions) -> Run:
        return session(1, slower={"fp16": 1.5, "dynamic-qint8": 0.5})

    @from_options(SensitivityOptions)
    def sensitivity(options: SensitivityOptions) -> Sensitivity:
        return STUDY

    monkeypatch.setattr("bench.running.runner.run", run)
    monkeypatch.setattr("bench.studies.sensitivity.study.sensitivity", sensitivity)
    if name == "compare":
        files = [tmp_path / "base.json", tmp_path / "new.json"]
        run_file.save(session(1), files[0])
        run_file.save(session(2, slower={"fp16": 1.5, "dynamic-qint8": 0.5}, lost=300), files[1])
        return command("compare", *map(str, files))[1]
    model = ["mnist/lab1"] if name == "sensitivity" else []
    return command(name, *model, "--out", str(tmp_path))[1]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("on_a_terminal")
def test_a_terminal_shows_verdicts_in_colour(shown: str, name: str) -> None:
    coloured = re.findall(r"\x1b\[(\d+)m([^\x1b]*)\x1b\[0m", shown)
    words = {(code, text.split()[-1]) for code, text in coloured}
    assert words <= GOOD | BAD
    assert words >= WORDS[name]


@pytest.mark.usefixtures("on_a_terminal")
def test_colours_move_no_column(shown: str) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", _ESCAPE.sub("", shown), re.MULTILINE):
        assert len({len(line) for line in block.splitlines()}) == 1


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(
    on_a_terminal: None,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    name: str,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    text = request.getfixturevalue("shown")
    assert not _ESCAPE.search(text)
    assert all(f" {word} " in text for _, word in WORDS[name])


def test_a_pipe_gets_no_colours(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    assert not _ESCAPE.search(request.getfixturevalue("shown"))
