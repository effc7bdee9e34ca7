"""What progress says where there is no terminal, by a clock of our own."""

from __future__ import annotations

import pytest

from bench.core.progress import Bars, display


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("bench.core.progress.time.monotonic", lambda: now[0])
    return now


def test_a_stage_is_a_line_when_it_begins_and_when_it_ends(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Bars("lines").live() as bars:
        stage, detail = bars.stage("train mnist/lab1"), bars.bar("evaluate mnist/lab1")
        detail(0, 1)
        stage(0, 3)
        begun = capsys.readouterr().err
        clock[0] += 2.5
        stage(1, 3)
        stage(3, 3)
        detail(1, 1)
    assert begun == "train mnist/lab1 …\n"
    assert capsys.readouterr() == ("", "train mnist/lab1: 2.5 s\n")


def test_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars("nothing").live() as bars:
        bars.stage("load data")(1, 1)
        bars.say("done")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("asked", "terminal", "shown"),
    [
        (None, True, "bars"),
        (None, False, "lines"),
        (True, False, "bars"),
        (False, True, "nothing"),
    ],
)
def test_what_is_shown(monkeypatch: pytest.MonkeyPatch, asked: bool | None, terminal: bool, shown: str) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    assert display(asked) == shown
