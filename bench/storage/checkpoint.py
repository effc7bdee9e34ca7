"""Trained weights in one safetensors file, with all that is needed to rebuild the model from it alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import safetensors
from pydantic import ConfigDict, FailFast, Field, ValidationError

from bench.core.errors import CheckpointError
from bench.results.bounds import (
    Figure,
    Hyperparameters,
    Label,
    Magnitude,
    Name,
    PositiveCount,
    Recipe,
    Seconds,
    Seed,
    first_fault,
    shortened,
)
from bench.results.record import Record
from bench.tasks.dataset import DataKind
from bench.tasks.task import ModelSpec, Precision
from bench.tasks.temporary import write_whole
from bench.techniques.base import TECHNIQUES

if TYPE_CHECKING:
    from torch import Tensor, nn

KEY = "quantbench"
"""Of the header among the file's metadata."""
WAY_OUT = "delete the file, and its model is trained again"
"""Of a checkpoint in the cache."""
LARGEST_HEADER = 2**24
"""Bytes of JSON; the longest, with the vocabulary of a hundred thousand words, has a tenth of it."""
DIGEST = "sha256"
"""Of the tensors' digest, beside it: a flipped bit in the weights would otherwise show as a worse model."""


class DataIdentity(NamedTuple):
    """Which data weights were trained on."""

    kind: DataKind
    fingerprint: str


class DistillationSpec(Record):
    """What a training takes from a model trained before."""

    teacher: Name
    """The name of its checkpoint in the cache, which its recipe's hash is a part of."""
    weight: Magnitude
    """λ of the distillation loss; 0 for none."""
    temperature: Magnitude
    initialise: bool
    """Whether the training starts from the teacher's weights and statistics."""


class TrainingSpec(Record):
    """A training: what decides the weights, on CPUs of one instruction set."""

    task: Name
    model: Name
    network: Name
    hyperparameters: Hyperparameters
    recipe: Recipe
    precision: Precision
    seed: Seed
    device: Label
    data_kind: DataKind
    data_fingerprint: Name
    technique: Name = ""
    """What took part in the training, such as ``dorefa:w2a2``; empty for a plain one."""
    distillation_spec: DistillationSpec | None = Field(default=None, alias="teaching")
    """What it takes from a model trained before; the alias is the name that the hash is made with."""
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def __hash__(self) -> int:
        return hash(self.recipe_hash)

    @property
    def recipe_hash(self) -> str:
        """SHA-256 over the fields that decide the weights, first 12 hex digits."""
        # Without defaults: fields that came later do not rename what was trained before.
        fields = self.model_dump(include=set(TrainingSpec.model_fields), exclude_defaults=True, by_alias=True)
        canonical = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """What its checkpoint is called; the hash at its end decides."""
        words = [self.task, self.model, *filter(None, [re.sub("[^a-z0-9]+", "-", self.technique)])]
        return "-".join([*words, self.precision, self.data_kind, f"seed{self.seed}", self.recipe_hash])

    @property
    def file_name(self) -> str:
        """The name of its checkpoint, wherever that lies."""
        return f"{self.name}.safetensors"


class EpochRecord(Record):
    """One pass over the training examples."""

    loss: Figure
    """The mean over its batches, each as it was before its step."""
    seconds: Seconds
    """Since the training began, of all its sessions."""


class Header(TrainingSpec):
    """The training that was carried out, and what came of it."""

    format: Literal[1] = 1
    vocabulary: Annotated[list[Name], Field(max_length=1_000_000), FailFast()]
    """The words that inputs count, in order; empty for images."""
    seconds: Seconds
    """The training's wall time."""
    history: Annotated[list[EpochRecord], FailFast()] = Field(default=[], max_length=100_000)
    """Its epochs."""
    threads: PositiveCount
    """Those it had: the recipe's, or as many as there were cores for where quantbench 0.4 trained it."""
    torch: Label
    processor: Label = ""
    """The CPU or GPU that it was trained on; empty in files of before."""


def training_spec(
    task: str,
    spec: ModelSpec,
    data: DataIdentity,
    precision: Precision,
    seed: int,
    device: str,
    technique: str = "",
    distillation_spec: DistillationSpec | None = None,
) -> TrainingSpec:
    """Return what decides the weights of a resolved ``spec``, trained with ``technique`` and a teacher taking part."""
    return TrainingSpec.model_validate(
        {
            "task": task,
            "model": spec.name,
            "network": spec.network,
            "hyperparameters": dict(spec.hyperparameters),
            "recipe": spec.recipe.as_dict(),
            "precision": precision,
            "seed": seed,
            "device": device,
            "data_kind": data.kind,
            "data_fingerprint": data.fingerprint,
            "technique": technique,
            "distillation_spec": distillation_spec,
        }
    )


def save(path: Path, network: nn.Module, header: Header) -> None:
    """Write the checkpoint atomically; raises ``OSError``."""
    import safetensors.torch

    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {KEY: header.model_dump_json(by_alias=True), DIGEST: digest(tensors)}
    write_whole(path, safetensors.torch.save(tensors, metadata))


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names and bytes of contiguous CPU tensors."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        hasher.update(name.encode())
        hasher.update(tensors[name].numpy().data)
    return hasher.hexdigest()


def read_header(path: Path, asked: TrainingSpec | None = None, way_out: str = WAY_OUT) -> Header:
    """Read the header alone; raises ``CheckpointError`` if the file is damaged, foreign or not ``asked`` for."""
    try:
        with path.open("rb"):  # safetensors gives no true cause where this fails
            pass
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except OSError as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read ({error.strerror}); {way_out}.") from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"the checkpoint {path} is truncated or damaged ({_line(error)}); {way_out}.") from error
    if KEY not in metadata:
        raise CheckpointError(f"the checkpoint {path} was not written by quantbench; {way_out}.")
    if len(metadata[KEY]) > LARGEST_HEADER:
        raise CheckpointError(f"the checkpoint {path} has a header longer than {LARGEST_HEADER >> 20} MiB; {way_out}.")
    try:
        header = Header.model_validate_json(metadata[KEY])
    except ValidationError as error:
        raise CheckpointError(
            f"the checkpoint {path} has a header this version cannot read ({first_fault(error)}); {way_out}."
        ) from error
    if asked is not None:
        for name in TrainingSpec.model_fields:
            stored, expected = getattr(header, name), getattr(asked, name)
            if stored != expected:
                raise CheckpointError(
                    f"the checkpoint {path} is of another {name.replace('_', ' ')} "
                    f"({shortened(repr(stored), 200)}, not {shortened(repr(expected), 200)}); "
                    f"{way_out}."
                )
    return header


def weights_digest(path: Path) -> str:
    """Return the digest of its weights that a checkpoint names."""
    with safetensors.safe_open(path, framework="np") as file:
        return str((file.metadata() or {}).get(DIGEST))


class Trained(NamedTuple):
    """What a checkpoint holds."""

    network: nn.Module
    """In eval mode."""
    training: Header
    """Its hyperparameters, its recipe, and what came of it."""


def load(path: Path, way_out: str = WAY_OUT) -> Trained:
    """Rebuild the network from the file alone; raises ``CheckpointError``."""
    import safetensors.torch

    header = read_header(path, way_out=way_out)
    try:
        network = _build(path, header, way_out).to_empty(device="cpu")
        tensors = safetensors.torch.load_file(path)
        with safetensors.safe_open(path, framework="np") as file:
            expected = file.metadata().get(DIGEST)
        if digest(tensors) != expected:
            raise CheckpointError(
                f"the checkpoint {path} is truncated or damaged (its weights do not have the checksum it names); "
                f"{way_out}."
            )
        network.load_state_dict(tensors)
    except CheckpointError:
        raise
    except Exception as error:  # torch may raise anything about tensors that are another network's
        raise CheckpointError(
            f"the checkpoint {path} does not fit the network it names ({_line(error)}); {way_out}."
        ) from error
    return Trained(network.eval(), header)


def untrained(path: Path, device: Literal["cpu", "meta"]) -> nn.Module:
    """Return the network that the checkpoint is of, in eval mode, with zeros for weights (on ``meta`` with none)."""
    import torch

    network = _build(path, read_header(path)).to_empty(device=device)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.zero_()
    return network.eval()


def _build(path: Path, header: Header, way_out: str = WAY_OUT) -> nn.Module:
    """Build the network on the meta device; raises ``CheckpointError`` where that cannot be done."""
    from bench import models
    from bench.storage.size_limit import TooLargeError, within

    def build() -> nn.Module:
        network = models.build(header.network, dict(header.hyperparameters))
        return TECHNIQUES.get(header.technique).prepare(network) if header.technique else network

    try:
        return within(path.stat().st_size, build)
    except TooLargeError as error:
        raise CheckpointError(
            f"the checkpoint {path} names a network of more values than {path.stat().st_size:,} bytes can hold; "
            f"{way_out}."
        ) from error
    except Exception as error:  # a constructor that is given nonsense may raise anything
        raise CheckpointError(
            f"the checkpoint {path} is of a network that this version cannot build ({_line(error)}); {way_out}."
        ) from error


def _line(error: Exception) -> str:
    """Return another library's message in one line; torch's may name every layer."""
    return shortened(" ".join(str(error).split()) or type(error).__name__, 400)
