"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.core.errors import RequestError


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there; raises ``RequestError`` if the folder cannot be written."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write bytes likewise."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's files are for the owner alone
        temporary.replace(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be written ({error.strerror}); name another place with --out.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Raise ``RequestError`` unless files can be written in ``folder``, or it can be made, which is left to the writer.

    So a request that is refused later leaves no folder behind.
    """
    try:
        with tempfile.TemporaryFile(dir=next(path for path in (folder, *folder.parents) if path.exists())):
            pass
    except OSError as error:
        raise RequestError(f"{folder} cannot be written ({error.strerror}); name another folder with --out.") from error
