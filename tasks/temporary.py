"""Files and folders in the making: what a process that was killed left of them, the next one removes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = "quantbench~"
"""Of names that nobody else gives: folders that have it, and that no process holds, are removed."""
_NAME = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
"""As ``tempfile`` completes it."""


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[bool]:
    """Hold a lock on a folder; yield whether it was to be had, or the file system knows no such locks.

    The system takes it back when the process ends, however it ends. No file is written.
    """
    if sys.platform == "win32":
        yield True
        return
    owner, descriptor = os.getpid(), os.open(folder, os.O_RDONLY)
    ours = _try(descriptor)
    try:
        yield ours
    finally:
        if ours and os.getpid() == owner:  # closing is not enough: a process that was forked meanwhile has it too
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True


@contextlib.contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder of this user alone in ``parent``, by default the system's place for them, and remove it at the end.

    Those that killed processes left there are removed first.
    """
    owner, place = os.getpid(), parent or Path(tempfile.gettempdir())
    _sweep(place)
    with contextlib.ExitStack() as held:
        folder = _made(place, held)
        try:
            yield folder
        finally:
            if os.getpid() == owner:  # and not a copy of it, which ends before
                shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside ``path`` and move it there: a reader sees the old one or the new one, never a part."""
    with temporary_folder(path.parent) as folder:
        unfinished = folder / path.name
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)


def _made(place: Path, held: contextlib.ExitStack) -> Path:
    """Make a folder, in one that may have to be made too, and lock it; again if another process swept it in between."""
    place.mkdir(parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        with contextlib.suppress(FileNotFoundError):
            if held.enter_context(lock(folder)) and folder.exists():
                return folder


def _sweep(place: Path) -> None:
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        for folder in [entry for entry in place.iterdir() if _NAME.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):  # somebody else's, or gone by now
                _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    """Remove the folder unless a process holds it; where that cannot be known, it stays."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
