"""Where trained weights are found and kept, under the hash of what decides them."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import RequestError
from bench.storage import checkpoint
from bench.storage.checkpoint import Header, TrainingSpec
from bench.tasks.source import cache_folder
from bench.tasks.temporary import write_whole

SHIPPED = Path(__file__).with_name("shipped")
"""Checkpoints that come with the package; its README.md says how they were trained."""


def is_shipped(spec: TrainingSpec) -> bool:
    """Return whether the checkpoint of a training comes with the package."""
    return (SHIPPED / spec.file_name).exists()


@dataclass(frozen=True)
class CheckpointStore:
    """A folder of checkpoints by ``TrainingSpec.recipe_hash``; workers are handed the store of their caller."""

    folder: Path

    @classmethod
    def of_user(cls) -> CheckpointStore:
        """Return the store in the user's cache."""
        return cls(cache_folder() / "checkpoints")

    def path(self, spec: TrainingSpec) -> Path:
        """Return where the checkpoint of a training lies that was carried out here, or will."""
        return self.folder / spec.file_name

    def source(self, spec: TrainingSpec) -> Path:
        """Return where to read the checkpoint of a training, which may be a shipped one."""
        return self.locate(spec.file_name) or self.path(spec)

    def unfinished(self, spec: TrainingSpec) -> Path:
        """Return where the state of a training lies until it is finished."""
        return self.folder / f"{spec.name}.training"

    def locate(self, file_name: str) -> Path | None:
        """Return where a checkpoint is: in this folder, else among those that are shipped; ``None`` if in neither."""
        places = (folder / file_name for folder in (self.folder, SHIPPED))
        return next((path for path in places if path.exists()), None)

    def get(self, spec: TrainingSpec) -> Header | None:
        """Return the header of a training's checkpoint, ``None`` if there is none; raises ``CheckpointError``."""
        path = self.locate(spec.file_name)
        return checkpoint.read_header(path, spec) if path is not None else None

    def put(self, content: bytes) -> Path:
        """Keep a checkpoint that trainings learn or start from under the hash of its content, and return where."""
        path = self.folder / f"teacher-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
        if not path.exists():
            write_whole(path, content)
        return path

    def require_writable(self) -> None:
        """Raise ``RequestError`` at once, and not after minutes of training, if their result could not be kept."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise RequestError(
                f"the cache {self.folder} cannot be written ({error.strerror}); name another with $QUANTBENCH_CACHE."
            ) from error
