"""Graphs that runtimes have built of a model, kept under the hash of all that decides them: building is slow."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from bench.tasks.temporary import temporary_folder

VERSION = "2"
"""Raised when what makes graphs changes, so that old ones are not taken for new ones."""
HASH_LENGTH = 20
DIGEST = "SHA256"
"""The file beside a graph that says which bytes it was made of: one that has lost some is made again."""


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
        if _is_whole(place):
            return place / name
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{key}.lock"):
            if not _is_whole(place):
                _make(place, name, make)
        return place / name


def _make(place: Path, name: str, make: Callable[[Path], None]) -> None:
    """Let ``make`` write what belongs in ``place``, which appears whole."""
    shutil.rmtree(place, ignore_errors=True)  # damaged, or of a version that kept no checksums
    with temporary_folder(place.parent) as folder:
        unfinished = folder / place.name
        unfinished.mkdir()
        make(unfinished / name)
        (unfinished / DIGEST).write_text(_digest(unfinished), encoding="utf-8")
        unfinished.rename(place)


def _is_whole(place: Path) -> bool:
    try:
        return (place / DIGEST).read_text(encoding="utf-8") == _digest(place)
    except (OSError, ValueError):
        return False


def _digest(place: Path) -> str:
    """Return the SHA-256 over all files and over the key, so that a graph in the place of another one is none."""
    hasher = hashlib.sha256(place.name.encode())
    for path in sorted(path for path in place.rglob("*") if path.is_file() and path.name != DIGEST):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        hasher.update(f"\0{path.relative_to(place).as_posix()}\0{content}".encode())
    return hasher.hexdigest()
