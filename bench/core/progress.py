"""Progress bars on a terminal, nothing elsewhere.

Bars are drawn only when something is reported: a thread that redraws them would take time from what is measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.core.report import Report

REDRAW_EVERY_S = 0.1


class Bars:
    """A set of progress bars; silent unless ``shown``."""

    def __init__(self, shown: bool) -> None:
        console = Console(stderr=True, quiet=not shown)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not shown,
        )
        self._drawn = 0.0

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

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(line, highlight=False, soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[Bars]:
        """Show the bars within the block."""
        self._progress.start()
        try:
            yield self
        finally:
            self._progress.stop()


def wanted(progress: bool | None) -> bool:
    """Return whether to show bars: as asked, else on a terminal only."""
    return sys.stderr.isatty() if progress is None else progress
