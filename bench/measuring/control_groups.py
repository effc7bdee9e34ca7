"""The control groups that this process is in: what ``docker run`` or a pod limits.

Source: the kernel's documentation of cgroup-v2, and of the controllers of version 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bench.core.files import system_text

ROOT = Path("/")
_MOUNTS = "sys/fs/cgroup"


def control_groups(controller: str, root: Path = ROOT) -> Iterator[Path]:
    """Yield the folders of this process's groups under a controller and of those above them, as far as can be seen.

    In a container the path may be the host's, of which nothing but its end is mounted; the folder where it is mounted
    is among those above.
    """
    for line in system_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mounts = [root / _MOUNTS / name for name in ((controllers, controller) if controllers else ("unified", ""))]
        group = PurePosixPath(path.lstrip("/"))
        mount = next((folder for folder in mounts if folder.is_dir()), mounts[0])
        yield from (mount / level for level in (group, *group.parents))
