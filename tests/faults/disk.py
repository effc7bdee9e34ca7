"""Small disks that can be filled, or become read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FILLER = "filler"


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a file system in memory of ``size``; skips where this user may not."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> None:
    """Write until there is no space left."""
    with (disk / FILLER).open("wb", buffering=0) as file:
        for block in (2**16, 2**12):
            try:
                while True:
                    file.write(bytes(block))
            except OSError:
                pass


def make_room(disk: Path) -> None:
    """Take the filling away."""
    (disk / FILLER).unlink()


def remount(disk: Path, mode: str) -> None:
    """Make the disk ``ro`` or ``rw``; skips where this cannot be done."""
    _mount("-o", f"remount,{mode}", str(disk))


def _mount(*arguments: str) -> None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no mount")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here ({' '.join(done.stderr.split())})")
