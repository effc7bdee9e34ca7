"""What fuzzing needs to know of a format of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.fuzzing import json_changes


def nothing(value: Any, unchanged: Any, folder: Path) -> None:
    """Make nothing of it."""


@dataclass(frozen=True)
class Format:
    """One format of files."""

    valid: Callable[[Path], Sequence[Any]]
    """Makes contents in a folder: the values of JSON, or bytes."""
    load: Callable[[Path], Any]
    """Reads a file."""
    refusals: tuple[type[Exception], ...]
    """What it may raise, in one line."""
    render: Callable[[Any, Any, Path], None]
    """Makes all texts of what was read, which is given beside what was read of the unchanged file."""
    draw: Callable[[Any, Any, Path], None] = nothing
    """Makes all pictures of it, which takes a second: done for few."""
    change: Callable[[Any, Any], bytes] = json_changes.changed
    """Makes a file of a content, given random numbers."""
    file_name: str = "file.json"
