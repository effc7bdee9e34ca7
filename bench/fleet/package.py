"""The driver's own quantbench, as nodes run it: they need its dependencies and not itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from bench.fleet import parcel
from bench.fleet.parcel import Parcel

NAME = "quantbench"


def package() -> Parcel:
    """Return the package with the names and versions that ``importlib.metadata`` reads."""
    root = Path(__file__).parents[1]
    contents = {f"bench/{path.relative_to(root).as_posix()}": path.read_bytes() for path in _sources(root)}
    installed = metadata.distribution(NAME)
    information = f"{NAME}-{installed.version}.dist-info"
    # A checkout that was installed editable holds an egg-info folder, where METADATA is called PKG-INFO.
    for name, *others in (("METADATA", "PKG-INFO"), ("entry_points.txt",)):
        texts = (installed.read_text(known) for known in (name, *others))
        if (text := next((text for text in texts if text), None)) is not None:
            contents[f"{information}/{name}"] = text.encode()
    return parcel.of_files(contents)


def dependencies() -> list[str]:
    """Return the names of the packages that quantbench cannot do without."""
    required = metadata.distribution(NAME).requires or []
    plain = [line for line in required if "extra ==" not in line]
    return [match.group() for line in plain if (match := re.match(r"[A-Za-z0-9._-]+", line))]


def _sources(folder: Path) -> Iterator[Path]:
    """Yield the files of the package; ``bench/models`` and ``bench/tasks`` may be links."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "__pycache__":
            yield from _sources(path)
        elif path.is_file():
            yield path
