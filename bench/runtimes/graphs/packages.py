"""Whether the packages of a runtime are installed, and new enough; none of them is imported to find out."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import metadata


def missing(needed: Mapping[str, str], extra: str) -> str | None:
    """Return what is missing of ``needed``, the least version by package, with the way out; ``None`` if nothing is."""
    for package, least in needed.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            return f"{package} is not installed; pip install 'quantbench[{extra}]'"
        if _numbers(version) < _numbers(least):
            return f"{package} {version} is older than {least}; pip install --upgrade 'quantbench[{extra}]'"
    return None


def versions(needed: Mapping[str, str]) -> tuple[str, ...]:
    """Return the packages with the versions that are installed."""
    return tuple(f"{package} {metadata.version(package)}" for package in needed)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what a conversion warns of, logs and prints: what a reader must know of it is a note of the row."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3]]
