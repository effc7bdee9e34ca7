"""The table of faults that were survived, made of what the tests saw."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

PROPERTY = "survived"
"""Of a test's report."""
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
HEADER = ("Planted", "What you see", "What is kept")


class Survival(NamedTuple):
    """A fault, and what came of it."""

    planted: str
    seen: str
    """The sentence or the row's reason, as it was printed or saved."""
    kept: str


class Table:
    """A plugin of pytest that collects what the tests note."""

    def __init__(self) -> None:
        self.rows: list[Survival] = []
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the notes of a test that passed, and why another was skipped."""
        if report.when == "call" and report.passed:
            self.rows += [Survival(*value) for name, value in report.user_properties if name == PROPERTY]  # type: ignore[misc]
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped.append(str(report.longrepr[2]).removeprefix("Skipped: "))

    def render(self) -> str:
        """Return the table in markdown."""
        lines = [HEADER, tuple("---" for _ in HEADER), *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def put_into(page: Path, table: str) -> None:
    """Replace the table between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    between = re.compile(f"(?<={re.escape(BEGIN)}\n\n).*(?=\n\n{re.escape(END)})", re.DOTALL)
    changed, times = between.subn(lambda _: table, text)
    assert times == 1, f"{page} has no {BEGIN} and {END} with empty lines within"
    page.write_text(changed, encoding="utf-8")
