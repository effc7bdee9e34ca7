"""Graphs that runtimes have built of a model, kept under the hash of all that decides them: building is slow."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

VERSION = "2"
"""Raised when what makes graphs changes, so that old ones are not taken for new ones."""
HASH_LENGTH = 20


@dataclass(frozen=True)
class GraphCache:
    """The graphs of one trained model; processes that want the same one wait for the first to build it."""

    folder: Path
    model: str
    """What decides the model: its network, its weights, and what it is calibrated on."""

    def get(self, name: str, decided_by: tuple[str, ...], make: Callable[[Path], None]) -> Path:
        """Return the file or folder that ``make`` wrote, in this process or in one before it.

        ``name`` is its last part, with the suffix that its readers expect. ``decided_by`` is what decides it beside the
        model: the versions of what made it, the instruction sets, the settings.
        """
        key = hashlib.sha256("\0".join((VERSION, self.model, name, *decided_by)).encode()).hexdigest()[:HASH_LENGTH]
        place = self.folder / key
        if (place / name).exists():
            return place / name
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{key}.lock"):
            if not (place / name).exists():
                unfinished = self.folder / f".{key}.{os.getpid()}"
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                try:
                    make(unfinished / name)
                    unfinished.rename(place)
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
        return place / name
