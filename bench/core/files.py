"""Files are written whole or not at all; those of the system are read where they are there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.core.errors import RequestError
from bench.tasks.temporary import write_whole


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there; raises ``RequestError`` if the folder cannot be written."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write bytes likewise."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise RequestError(f"{path} cannot be written ({error.strerror}); name another place with --out.") from error


def require_writable(folder: Path) -> None:
    """Raise ``RequestError`` unless files can be written in ``folder``, or it can be made, which is left to the writer.

    So a request that is refused later leaves no folder behind.
    """
    try:
        with tempfile.TemporaryFile(dir=next(path for path in (folder, *folder.parents) if path.exists())):
            pass
    except OSError as error:
        raise RequestError(f"{folder} cannot be written ({error.strerror}); name another folder with --out.") from error


def system_text(path: Path) -> str:
    """Return what a file of the system says, without the space around it; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
