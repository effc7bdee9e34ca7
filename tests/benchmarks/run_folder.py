"""What of a run's folder is committed where something else shows what is in it."""

from __future__ import annotations

from pathlib import Path


def keep_run_file(folder: Path) -> None:
    """Remove all but the run file, of which ``bench report`` makes the rest."""
    for path in folder.iterdir():
        if path.name != "run.json":
            path.unlink()
