"""Fixtures of the harness's tests."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest

from bench.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; return exit code, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        handlers = {number: signal.getsignal(number) for number in main._STOPPING}
        try:
            with pytest.raises(SystemExit) as exit_:
                main.main()
        finally:  # Ctrl-C stops pytest, and not only the test
            for number, handler in handlers.items():
                signal.signal(number, handler)
        captured = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, captured.out, captured.err

    return call
