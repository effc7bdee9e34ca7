"""The folder of a fleet's run: what every node has measured, and what is known of the nodes; one driver at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench.core import files
from bench.core.errors import RequestError, RunFileError
from bench.core.file_names import file_name
from bench.results import run_file
from bench.results.bounds import first_fault
from bench.results.fleet import Fleet
from bench.results.run import Run

FLEET_FILE = "fleet.json"
RUN_FILE = "run.json"
_LOCK = ".fleet.lock"
LOOK_S = 1.0
"""Longer than 'bench fleet status' holds the lock when it looks whether a driver does."""


class RunFiles(Mapping[str, Run]):
    """Runs by node, each read when it is asked for: a thousand do not fit the memory. Raises ``RunFileError``."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def __getitem__(self, node: str) -> Run:
        return run_file.load(self._paths[node])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class FleetFolder:
    """Reads and writes the files below one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other drivers out within the block; raises ``RequestError`` if one is at work.

        Where no fleet came of it, as when nobody answers at the address, neither lock nor folder stays.
        """
        above = (self.path, *self.path.parents)
        made = [path for path in above if not os.path.exists(path)]  # noqa: PTH110 - Path.exists raises where it may not look
        files.require_writable(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=LOOK_S)
        except Timeout:
            raise RequestError(
                f"another 'bench fleet run' is at work on {self.path}; wait for it, or name another folder with --out."
            ) from None
        try:
            yield
        finally:
            if not (self.path / FLEET_FILE).exists():
                self._leave_nothing(made)
            lock.release()

    def _leave_nothing(self, made: Sequence[Path]) -> None:
        """Remove the lock, while it is held: later it may be another driver's. Then what was made and is empty."""
        with contextlib.suppress(OSError):  # Windows removes no open file
            (self.path / _LOCK).unlink()
            for folder in made:
                folder.rmdir()

    def has_driver(self) -> bool:
        """Return whether a driver is at work; so it may be where the lock cannot be looked at."""
        try:
            FileLock(self.path / _LOCK).acquire(timeout=0).lock.release()
        except (OSError, Timeout):
            return True
        return False

    def fleet(self) -> Fleet | None:
        """Return what is known of the nodes; ``None`` where no fleet was; raises ``RunFileError``."""
        path = self.path / FLEET_FILE
        if not path.exists():
            return None
        try:
            return Fleet.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            fault = first_fault(error) if isinstance(error, ValidationError) else error.strerror
            raise RunFileError(
                f"{path} is in the way ({fault}); move it away, or name another folder with --out."
            ) from error

    def save(self, fleet: Fleet) -> None:
        """Write what is known of the nodes."""
        files.write_atomically(self.path / FLEET_FILE, fleet.model_dump_json(indent=1) + "\n")

    def run_file(self, node: str) -> Path:
        """Return where a node's run file lies."""
        return self.path / file_name(node).lstrip(".") / RUN_FILE

    def before(self, node: str) -> bytes | None:
        """Return the run file that there is of a node; ``None`` if there is none."""
        path = self.run_file(node)
        return path.read_bytes() if path.exists() else None

    def keep(self, node: str, content: bytes) -> None:
        """Write a node's run file as it came."""
        files.write_bytes_atomically(self.run_file(node), content)

    def runs(self, fleet: Fleet) -> RunFiles:
        """Return the runs that there are, by node."""
        known = {node.name: self.run_file(node.name) for node in fleet.nodes}
        return RunFiles({name: path for name, path in known.items() if path.exists()})
