"""What travels to nodes: files, and folders as archives, under the hash of their content."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.core.errors import RequestError

MOST_BYTES = 100 * 10**6
"""Of a user's folder: with more, data lie in it that no model needs."""
LEFT_OUT = {"__pycache__", ".git", ".venv", "venv", "node_modules", "runs"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A time for every file, so that the same content is the same archive."""


@dataclass(frozen=True)
class Parcel:
    """Some bytes that nodes may have already."""

    content: bytes
    folder: bool
    """Whether they are an archive that is unpacked there."""

    @cached_property
    def digest(self) -> str:
        """SHA-256, which names it everywhere."""
        return hashlib.sha256(self.content).hexdigest()


def of_file(path: Path) -> Parcel:
    """Return a file."""
    return Parcel(path.read_bytes(), folder=False)


def of_files(contents: Mapping[str, bytes]) -> Parcel:
    """Return a folder with these files, by their paths in it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(contents):
            file.writestr(zipfile.ZipInfo(name, _EPOCH), contents[name])
    return Parcel(archive.getvalue(), folder=True)


def of_folder(folder: Path, without: Path | None = None) -> Parcel:
    """Return the folder of a user's model, ``without`` a folder of results that may lie in it.

    Raises ``RequestError`` if more lies in it than a model needs.
    """
    contents: dict[str, bytes] = {}
    total = 0
    for path in _files_below(folder, without):
        total += path.stat().st_size
        if total > MOST_BYTES:
            raise RequestError(
                f"the folder {folder} of your model is larger than {MOST_BYTES // 10**6} MB, and all of it would be "
                f"sent to every node; give the model a folder of its own."
            )
        contents[path.relative_to(folder).as_posix()] = path.read_bytes()
    return of_files(contents)


def _files_below(folder: Path, without: Path | None) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT or path == without:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(path, without)
        elif path.is_file():
            yield path
