"""Where trained weights are found and kept, under the hash of what decides them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import RequestError
from bench.storage import checkpoint
from bench.storage.checkpoint import Header, TrainingSpec
from bench.tasks.source import cache_folder


@dataclass(frozen=True)
class CheckpointStore:
    """A folder of checkpoints by ``TrainingSpec.recipe_hash``; workers are handed the store of their caller."""

    folder: Path

    @classmethod
    def of_user(cls) -> CheckpointStore:
        """Return the store in the user's cache."""
        return cls(cache_folder() / "checkpoints")

    def path(self, spec: TrainingSpec) -> Path:
        """Return where the checkpoint of a training lies, or will."""
        return self.folder / f"{spec.name}.safetensors"

    def unfinished(self, spec: TrainingSpec) -> Path:
        """Return where the state of a training lies until it is finished."""
        return self.folder / f"{spec.name}.training"

    def get(self, spec: TrainingSpec) -> Header | None:
        """Return the header of a training's checkpoint, ``None`` if there is none; raises ``CheckpointError``."""
        path = self.path(spec)
        return checkpoint.read_header(path, spec) if path.exists() else None

    def find(self, recipe_hash: str) -> Path | None:
        """Return the checkpoint of that hash, whatever it is called."""
        return next(iter(sorted(self.folder.glob(f"*-{recipe_hash}.safetensors"))), None)

    def put(self, content: bytes) -> Path:
        """Keep a teacher's checkpoint under the hash of its content, and return where."""
        path = self.folder / f"teacher-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
        if not path.exists():
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_bytes(content)
            temporary.replace(path)
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
