"""A data set in memory: tensors for training and for testing, and a file format to share them by.

Worker processes open the file memory-mapped, so that many of them hold one copy of the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DataKind = Literal["real", "synthetic"]


@dataclass(frozen=True)
class Split:
    """Examples as tensors: features by name, and their labels."""

    features: Mapping[str, Tensor]
    """What a task makes network inputs of, for example ``images``: uint8 ``(n, channels, height, width)``."""
    labels: Tensor
    """int64 ``(n,)``."""

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Split:
        """Return the split on ``device``."""
        return Split({name: value.to(device) for name, value in self.features.items()}, self.labels.to(device))

    def __getitem__(self, index: Tensor) -> Split:
        return Split({name: value[index] for name, value in self.features.items()}, self.labels[index])


@dataclass(frozen=True)
class Dataset:
    """What a task loads once and every process of a run shares."""

    train: Split
    test: Split
    kind: DataKind
    fingerprint: str
    """SHA-256 over the files the data were read from, first 16 hex digits."""
    vocabulary: tuple[str, ...] = ()
    """Words by falling frequency; empty for images."""
    description: Mapping[str, str] = field(default_factory=dict)
    """Where the data came from, in words: ``title``, ``origin``, ``citation``, ``note``."""

    def save(self, path: Path) -> None:
        """Write the data set as one safetensors file; raises ``OSError``."""
        import safetensors.torch

        tensors = {
            f"{split_name}.{name}": value.contiguous()
            for split_name, split in (("train", self.train), ("test", self.test))
            for name, value in (*split.features.items(), ("labels", split.labels))
        }
        header = {
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "vocabulary": self.vocabulary,
            "description": dict(self.description),
        }
        # Not by ``save_file``, whose errors do not say what the system said.
        path.write_bytes(safetensors.torch.save(tensors, {"dataset": json.dumps(header)}))

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Memory-map a data set that ``save`` wrote."""
        import safetensors

        with safetensors.safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["dataset"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 — not a mapping
        splits = {}
        for split_name in ("train", "test"):
            prefix = f"{split_name}."
            parts = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            splits[split_name] = Split({k: v for k, v in parts.items() if k != "labels"}, parts["labels"])
        return cls(
            train=splits["train"],
            test=splits["test"],
            kind=header["kind"],
            fingerprint=header["fingerprint"],
            vocabulary=tuple(header["vocabulary"]),
            description=header["description"],
        )
