"""Progress: bars on a terminal; elsewhere a line when a stage begins and one when it ends.

Bars are drawn only when something is reported: a thread that redraws them would take time from what is measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bench.core.report import Report

REDRAW_EVERY_S = 0.1

Shown = Literal["bars", "lines", "nothing"]


class Bars:
    """A set of progress bars, or the lines in their place."""

    def __init__(self, shown: Shown) -> None:
        self._lines = shown == "lines"
        console = Console(stderr=True, quiet=shown == "nothing")
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=shown != "bars",
        )
        self._drawn = 0.0
        self._named: dict[str, TaskID] = {}

    def bar(self, label: str) -> Report:
        """Add a bar; it appears with the first report and goes when all is done."""
        bar_id = None

        def report(done: int, total: int) -> None:
            nonlocal bar_id
            if bar_id is None:
                bar_id = self._progress.add_task(label, total=total)
            self._progress.update(bar_id, completed=done, total=total, visible=done < total)
            now = time.monotonic()
            if now - self._drawn > REDRAW_EVERY_S or done == total:
                self._drawn = now
                self._progress.refresh()

        return report

    def line(self, name: str, label: str, done: int, total: int, *, visible: bool) -> None:
        """Show the bar ``name``, whose label changes with what it stands for."""
        if name not in self._named:
            self._named[name] = self._progress.add_task(label, total=total)
        self._progress.update(self._named[name], description=label, completed=done, total=total, visible=visible)
        self._progress.refresh()

    def stage(self, label: str) -> Report:
        """Add a bar for what takes long; without a terminal its begin and its end are a line each."""
        if not self._lines:
            return self.bar(label)
        started: float | None = None

        def report(done: int, total: int) -> None:
            nonlocal started
            if started is None:
                started = time.monotonic()
                self.say(f"{label} …")
            if done == total:
                self.say(f"{label}: {time.monotonic() - started:.1f} s")

        return report

    def say(self, line: str) -> None:
        """Print a line, above the bars where there are any."""
        self._progress.console.print(line, highlight=False, soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[Bars]:
        """Show the bars within the block."""
        self._progress.start()
        try:
            yield self
        finally:
            self._progress.stop()


def display(progress: bool | None) -> Shown:
    """Return what to show: bars or nothing as asked, else bars on a terminal and lines elsewhere."""
    if progress is None:
        return "bars" if sys.stderr.isatty() else "lines"
    return "bars" if progress else "nothing"
