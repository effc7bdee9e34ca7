"""Where the files of a data set come from: the data root, a download, or the project's own stand-in.

Real files are compared with known checksums before anything reads them: the CIFAR files are pickles,
and a pickle is opened only when its digest says that it is the published one (or one we just wrote).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from bench.tasks.dataset import DataKind
from bench.tasks.errors import DataError
from bench.tasks.policy import DataPolicy

STANDIN_VERSION = 2
"""Raised whenever a generator changes, so that old stand-ins are not taken for new ones."""
MANIFEST = "CHECKSUMS"
DOWNLOAD_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Source:
    """Checked files, ready to read."""

    kind: DataKind
    root: Path
    """The folder that holds the data set's folder."""
    origin: str
    """In words, without this machine's paths."""
    fingerprint: str
    note: str = ""
    """Why it is a stand-in, where the real data were wanted."""


class DataFiles(ABC):
    """The files of one data set, as its publisher lays them out below a root folder."""

    title: str

    @property
    @abstractmethod
    def folder(self) -> str:
        """The folder below the root, for example ``MNIST/raw``."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The files in that folder."""

    @property
    def checksums(self) -> Mapping[str, str]:
        """``algorithm:hexdigest`` by file name, where the publisher's files are known to the bit."""
        return {}

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the real files are published, for people to read."""

    @abstractmethod
    def download(self, root: Path) -> None:
        """Fetch the real files into ``root``; may raise anything."""

    @abstractmethod
    def generate(self, root: Path) -> None:
        """Write the synthetic stand-in below ``root`` in the real formats."""


def cache_folder() -> Path:
    """Return ``$QUANTBENCH_CACHE``, else the user's cache folder."""
    named = os.environ.get("QUANTBENCH_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("quantbench")


def data_folder(data_root: Path | None) -> Path:
    """Return the data root: the argument, else ``$QUANTBENCH_DATA``, else a folder in the cache."""
    named = os.environ.get("QUANTBENCH_DATA")
    return data_root or (Path(named) if named else cache_folder() / "data")


def locate(files: DataFiles, policy: DataPolicy, data_root: Path | None) -> Source:
    """Return checked files under the policy.

    ``auto`` takes what is in the data root, else downloads, else generates the stand-in and says why.
    Raises ``DataError`` for damaged files, and under ``real`` if there are none.
    """
    if policy == "synthetic":
        with _lock(files):
            return _standin(files, note="")
    root = data_folder(data_root)
    with _lock(files):
        return _locate_real(files, policy, root)


def _locate_real(files: DataFiles, policy: DataPolicy, root: Path) -> Source:
    present = [name for name in files.names if (root / files.folder / name).is_file()]
    if len(present) == len(files.names):
        return Source("real", root, f"{files.title}, found in the data root", _check(files, root, files.checksums))
    try:
        _download(files, root)
    except Exception as error:  # a download can fail in any way; none of them is silent
        missing = ", ".join(name for name in files.names if name not in present)
        reason = (
            f"{files.title} is not in {root} (no {missing} in {files.folder}) and the download from {files.url} "
            f"failed ({_one_line(error)})"
        )
        if policy == "real":
            raise DataError(
                f"{reason}; put the files there, name another folder with --data-root, or take the "
                f"stand-in with --data synthetic."
            ) from error
        return _standin(files, note=reason)
    return Source("real", root, f"{files.title}, from {files.url}", _check(files, root, files.checksums))


def _lock(files: DataFiles) -> FileLock:
    """Return the lock that keeps tasks and runs beside each other from fetching the same files twice."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{files.folder.replace('/', '-')}.lock")


@contextmanager
def _temporary_folder(root: Path, purpose: str) -> Iterator[Path]:
    """Make a folder beside the target, and remove what a killed process left of an earlier one."""
    root.mkdir(parents=True, exist_ok=True)
    for stale in root.glob(f".{purpose}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{purpose}-", dir=root) as folder:
        yield Path(folder)


def digest(path: Path, algorithm: str) -> str:
    """Return the hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def read_manifest(root: Path, folder: str) -> dict[str, str]:
    """Return the checksums written beside a stand-in: ``algorithm:hexdigest`` by file name."""
    lines = (root / folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    return {name: checksum for checksum, name in (line.split("  ", 1) for line in lines)}


def _check(files: DataFiles, root: Path, checksums: Mapping[str, str]) -> str:
    """Compare each file with its checksum; return the fingerprint of them all."""
    combined = hashlib.sha256()
    for name in files.names:
        path = root / files.folder / name
        algorithm, _, expected = checksums.get(name, "sha256:").partition(":")
        actual = digest(path, algorithm)
        if expected and actual != expected:
            raise DataError(
                f"{path} is damaged or truncated: its {algorithm} is {actual}, that of the published file is "
                f"{expected}; delete it and run again to download it, or use --data synthetic."
            )
        combined.update(f"{name} {actual}\n".encode())
    return combined.hexdigest()[:16]


def _download(files: DataFiles, root: Path) -> None:
    """Download to a folder beside the target and move it there whole."""
    with _temporary_folder(root, f"download-{files.title}") as temporary, _socket_timeout():
        files.download(temporary)
        fetched = [temporary / files.folder / name for name in files.names]
        if missing := [path.name for path in fetched if not path.is_file()]:
            raise DataError(f"it came without {', '.join(missing)}")
        target = root / files.folder
        target.mkdir(parents=True, exist_ok=True)
        for path in fetched:
            path.replace(target / path.name)


def _standin(files: DataFiles, note: str) -> Source:
    root = cache_folder() / f"standin-{STANDIN_VERSION}"
    try:
        fingerprint = _check_standin(files, root)
    except (DataError, OSError, ValueError):  # missing or incomplete; a stand-in takes a second: make it again
        shutil.rmtree(root / files.folder, ignore_errors=True)
        _generate(files, root)
        fingerprint = _check_standin(files, root)
    origin = f"synthetic stand-in for {files.title}, generated by quantbench (version {STANDIN_VERSION})"
    return Source("synthetic", root, origin, fingerprint, note)


def _check_standin(files: DataFiles, root: Path) -> str:
    checksums = read_manifest(root, files.folder)
    if checksums.keys() != set(files.names):
        raise DataError(f"the checksums in {root / files.folder} are not those of {', '.join(files.names)}")
    return _check(files, root, checksums)


def _generate(files: DataFiles, root: Path) -> None:
    with _temporary_folder(root, f"generate-{files.title}") as temporary:
        folder = temporary / files.folder
        folder.mkdir(parents=True)
        files.generate(temporary)
        lines = [f"md5:{digest(folder / name, 'md5')}  {name}" for name in files.names]
        (folder / MANIFEST).write_text("\n".join(lines) + "\n", encoding="utf-8")
        target = root / files.folder
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.replace(target)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _socket_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
