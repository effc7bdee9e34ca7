"""Files of a system, as the kernel would show them, in a folder of our own."""

from __future__ import annotations

from pathlib import Path

CGROUP = "sys/fs/cgroup"


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below ``root``."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root
