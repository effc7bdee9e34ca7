"""What commands print, and their exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results.run import Run


def show(text: str) -> None:
    """Print to standard output, with one line end."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def exit_code(run: Run) -> int:
    """Return 1 if a row failed."""
    return 1 if any(row.status == "failed" for row in run.rows) else 0
