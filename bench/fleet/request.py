"""What is asked of a node, as it travels: a plan, and by digest what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bench.results.record import Record
from bench.results.run_spec import RunSpec
from bench.storage.checkpoint import TrainingSpec
from bench.worker.user.callables import FilePart
from bench.worker.user.model import UserModel

Role = Literal["model", "inputs", "evaluate", "calibrate", "train"]


class SentPart(Record):
    """A callable in a file of a folder that was sent."""

    digest: str
    """Of the folder's parcel."""
    file: str
    name: str


class SentModel(Record):
    """A user's model whose files were sent."""

    task: str
    name_in_task: str
    parts: dict[Role, SentPart]

    def restored(self, places: dict[str, str]) -> UserModel:
        """Return it with its files where they lie here."""
        parts = {role: FilePart(Path(places[part.digest]) / part.file, part.name) for role, part in self.parts.items()}
        return UserModel(
            self.task,
            self.name_in_task,
            parts["model"],
            parts["inputs"],
            parts.get("evaluate"),
            parts.get("calibrate"),
            parts.get("train"),
        )


class NodeRequest(Record):
    """What each process on a node is given."""

    places: dict[str, str] = {}
    """Where parcels lie there, by digest; filled in there."""
    folder: str = ""
    """The process's own; filled in there."""
    training_isa: list[str]
    """The driver's instruction sets: they decide in which precision is trained, and a part of what comes of it."""


class RunRequest(NodeRequest):
    """A run."""

    spec: RunSpec
    checkpoints: dict[str, str] = {}
    """The digests of checkpoints by the names of their files."""
    datasets: dict[str, str]
    """The digests of data sets by task."""
    user_models: list[SentModel]


class TrainingRequest(NodeRequest):
    """A training."""

    training: TrainingSpec
    dataset: str
    """The digest of its data."""
