"""A checkpoint of the user's that a training starts from, or learns from."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import checkpoint
from bench.checkpoint import Order
from bench.errors import RequestError


@dataclass(frozen=True)
class OwnCheckpoint:
    """The copy in the cache, which trainings are named by."""

    checkpoint: str
    """Its name, which its content decides."""
    model: str
    """As ``task/model``."""


def adopt(path: Path, order: Order, role: Literal["teacher", "start"], weights: bool) -> OwnCheckpoint:
    """Copy a checkpoint into the cache, named by its content, for trainings like ``order`` to take it as ``role``.

    ``weights`` says whether they take its weights, which must fit then, and not its answers alone. Raises
    ``RequestError`` for one of other data or another network, ``CheckpointError`` for a file that is none.
    """
    header = checkpoint.read_header(path, way_out=f"name another with --{role}")
    if (header.task, header.data_kind, header.data_fingerprint) != (
        order.task,
        order.data_kind,
        order.data_fingerprint,
    ):
        raise RequestError(
            f"the {role} {path} was trained on {header.data_kind} data of {header.task} ({header.data_fingerprint}), "
            f"not on {order.data_kind} data of {order.task} ({order.data_fingerprint}); give one of the same data."
        )
    same = (header.network, header.hyperparameters) == (order.network, order.hyperparameters)
    if header.hyperparameters.get("inputs") != order.hyperparameters.get("inputs"):
        raise RequestError(f"the {role} {path} takes other inputs than {order.model}; give one that takes the same.")
    if weights and not same:
        way_out = (
            "learn from its answers alone, with --source loss" if role == "teacher" else "give one of that network"
        )
        raise RequestError(f"the {role} {path} is a {header.model}, whose weights do not fit {order.model}; {way_out}.")
    content = path.read_bytes()
    name = f"teacher-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    copy = checkpoint.checkpoint_folder() / name
    if not copy.exists():
        temporary = copy.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(content)
        temporary.replace(copy)
    return OwnCheckpoint(name, f"{header.task}/{header.model}")
