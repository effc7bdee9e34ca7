"""The smallest file of a variant from which a fresh process rebuilds it, to the same logits, without a pickle.

It is safetensors: the values in the shortest types that hold them exactly, and in the metadata a manifest of the
state dict (``bench.state_codec``). So float16 weights that torch unpacks to float32 for a state dict are stored
as float16.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from bench.errors import CheckpointError
from bench.state_codec import Reader, Writer, form
from bench.techniques.torch_quantization import quiet

KEY = "quantbench-packed"
"""Of the manifest among the file's metadata."""
VERSION = 1
WAY_OUT = "pack the variant anew"


@dataclass(frozen=True)
class Packed:
    """What a packed file came to."""

    file_bytes: int
    """Its length: values, manifest and header."""
    bytes_by_dtype: dict[str, int]
    """Bytes of values by the type they are stored in, such as ``int8``."""


def pack(module: nn.Module, path: Path) -> Packed:
    """Write the state of ``module`` atomically; raises ``CheckpointError`` for an entry that has no packed form."""
    writer = Writer()
    entries = {}
    with quiet():
        state = module.state_dict()
        for name, value in state.items():
            try:
                entries[name] = writer.encode(value)
            except TypeError as error:
                raise CheckpointError(f"{name} cannot be packed ({error}); save it with torch.save.") from error
    manifest = {"version": VERSION, "modules": [part.get("version") for part in _modules(state)], "entries": entries}
    metadata = {KEY: json.dumps(manifest, separators=(",", ":"))}
    tensors = writer.tensors()
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        safetensors.torch.save_file(tensors, temporary, metadata=metadata)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return Packed(path.stat().st_size, {name: tensor.nbytes for name, tensor in tensors.items()})


def unpack(module: nn.Module, path: Path) -> None:
    """Load a file into a module of the structure it was packed from: the same technique on an untrained network.

    Raises ``CheckpointError`` for a file that is truncated, foreign, of another version or of another module.
    """
    manifest, tensors = _read(path)
    with quiet():
        try:
            reader = Reader(tensors)
            values = {name: reader.decode(entry) for name, entry in manifest["entries"].items()}
            reader.finish()
            versions = list(manifest["modules"])
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"the packed file {path} has a manifest that does not match its values ({_line(error)}); {WAY_OUT}."
            ) from error
        try:
            state = module.state_dict()
            for name in {**state, **values}:
                _require_same(name, values, state)
            state.update(values)
            # Quantized modules read their entries by the version of the code that wrote them.
            for part, version in zip(_modules(state), versions, strict=True):
                part["version"] = version
            module.load_state_dict(state)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"the packed file {path} is of another module ({_line(error)}); "
                f"unpack it into the same network after the same technique, or {WAY_OUT}."
            ) from error


def _modules(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what torch notes of each module in a state dict, beside the entries."""
    return list(state._metadata.values())  # type: ignore[attr-defined]


def _require_same(name: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    # torch would cast another type silently, and asks nothing at all of the shape of a packed weight.
    forms = [form(values[name]) if name in values else "nothing" for values in (found, wanted)]
    if forms[0] != forms[1]:
        raise ValueError(f"{name} is {forms[0]} in the file and {forms[1]} in the module")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with path.open("rb"):  # safetensors gives no true cause where this fails
            pass
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
    except OSError as error:
        raise CheckpointError(f"the packed file {path} cannot be read ({error.strerror}); {WAY_OUT}.") from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"the packed file {path} is truncated or damaged ({error}); {WAY_OUT}.") from error
    if KEY not in metadata:
        raise CheckpointError(f"{path} is not a packed file of quantbench; {WAY_OUT}.")
    try:
        manifest = json.loads(metadata[KEY])
        version = manifest["version"]
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"the packed file {path} has a manifest that is none ({error}); {WAY_OUT}.") from error
    if version != VERSION:
        raise CheckpointError(
            f"the packed file {path} has format {version}, and this version reads format {VERSION}; {WAY_OUT}."
        )
    return manifest, tensors


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
