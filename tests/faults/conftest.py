"""What the tests of faults share."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.conftest import command  # noqa: F401 — a fixture
from tests.faults.killed import PROCESSES
from tests.faults.table import PROPERTY
from tests.repository import ROOT

Survived = Callable[[str, str, str], None]
Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs make few passes."""
    monkeypatch.setattr("bench.measuring.latency.sampling.MAX_PROCESSES", PROCESSES)


@pytest.fixture
def survived(request: pytest.FixtureRequest, tmp_path: Path, shared_cache: Path) -> Survived:
    """Note what was planted, what was seen of it, and what was kept."""

    def note(planted: str, seen: str, kept: str) -> None:
        for place in (tmp_path, shared_cache):
            seen = seen.replace(f"{place}/", "").replace(str(place), "the folder")
        seen = " ".join(seen.replace(f"{ROOT}/", "").split())
        request.node.user_properties.append((PROPERTY, [planted, seen, kept]))

    return note


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The folder for temporary files of commands that a test starts; its path is short, for sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="qb") as folder:
        yield Path(folder)


@pytest.fixture
def bench(temporary: Path) -> Bench:
    """Run the command as a process of its own, with a fault planted in it; it may be killed."""

    return functools.partial(run_command, temporary)


def run_command(temporary: Path, place: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command, to be killed at a ``place`` of ``tests.faults.killed``, or nowhere."""
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "tests.faults.killed", place, *arguments]
    return subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def said(output: str) -> str:
    """Return the sentence of a refusal among what a command wrote to standard error."""
    [line] = [line for line in output.splitlines() if line.startswith("bench: ")]
    assert "Traceback" not in output
    return line.removeprefix("bench: ")
