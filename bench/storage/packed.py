"""The smallest file of a variant from which a fresh process rebuilds it, to the same logits, without a pickle.

It is safetensors: the values in the shortest types that hold them exactly, and in the metadata a manifest of the
state dict (``bench.storage.state_codec``). So float16 weights that torch unpacks to float32 for a state dict are stored
as float16.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import safetensors
import safetensors.torch
import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor, nn

from bench.core.errors import CheckpointError, QuantbenchError, UnsupportedError
from bench.core.inputs import Inputs
from bench.core.sharing import aliases
from bench.results.bounds import Hyperparameters, Label, Name, Text, first_fault, shortened
from bench.results.record import Record
from bench.storage.size_limit import TooLargeError, within
from bench.storage.state_codec import STORED, Reader, Writer, form, name_of
from bench.tasks.temporary import write_whole
from bench.techniques import weight_norm
from bench.techniques.base import TECHNIQUES, Artifact, Context, Technique
from bench.techniques.torch_quantization import any_range, quiet

KEY = "quantbench-packed"
"""Of the manifest among the file's metadata."""
VERSION = 2
CHECKSUM = "crc32"
"""Of the values, in the manifest; files of quantbench 0.4 have none."""
MANIFEST_LIMIT = 2**23
"""Bytes; the manifest of a hundred thousand entries is shorter, and a parser makes up to thirty times as much of it."""
LARGEST_EXAMPLE = 2**24
"""Values; no image comes near it."""
MESSAGE = 400
"""Characters of another library's message: torch's may name every layer."""
WAY_OUT = "pack the variant again"


_Versions = TypeAdapter(list[Annotated[int, Field(ge=0, le=1_000)] | None])
"""Of the code that wrote each module's state."""


@dataclass(frozen=True)
class Packed:
    """What a packed file came to."""

    file_bytes: int
    """Its length: values, manifest and header."""
    bytes_by_dtype: dict[str, int]
    """Bytes of values by the type they are stored in, such as ``int8``."""


class Origin(Record):
    """What a variant was made of: enough to rebuild its structure."""

    model: Name
    """As ``task/model``."""
    network: Name = ""
    """Empty for a user's model."""
    hyperparameters: Hyperparameters = {}
    channels_last: bool = False
    trained_as: Name = ""
    technique: Text
    engine: Label
    built_by: Name = ""
    """What builds a user's model, such as ``build() of net.py``; empty for a supplied one."""


@dataclass(frozen=True)
class PackedModel:
    """A variant that was rebuilt from its packed file alone."""

    artifact: Artifact
    origin: Origin

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the model does of float32 inputs, batch first: logits ``(batch, classes)`` of a supplied one."""
        dtype = getattr(torch, self.artifact.input_dtype)
        inputs = Inputs(args, kwargs).changed(lambda value: value.to(dtype) if value.is_floating_point() else value)
        if self.origin.channels_last:
            inputs = inputs.changed(lambda value: value.to(memory_format=torch.channels_last))
        with torch.inference_mode():
            return inputs.call(self.artifact.forward)


def load(path: Path, device: str = "cpu") -> PackedModel:
    """Rebuild a variant from its file; raises ``CheckpointError``, or ``UnsupportedError`` where it cannot run here.

    The technique is applied to a network of zeros, with ranges observed on an example of zeros; all values come from
    the file.
    """
    from bench import models

    origin = _origin(path)
    if origin.built_by:
        raise CheckpointError(
            f"the packed file {path} is of a model of your own, which only {origin.built_by} can rebuild; "
            f"give what that returns, and example inputs, to bench.storage.packed.load_user_model."
        )
    place = _device(device)
    hyperparameters: dict[str, object] = dict(origin.hyperparameters)

    def build() -> nn.Module:
        network = models.build(origin.network, hyperparameters)
        return TECHNIQUES.get(origin.trained_as).prepare(network) if origin.trained_as else network

    try:
        technique = TECHNIQUES.get(origin.technique)
        network = within(path.stat().st_size, build).eval().to_empty(device=place)
        with torch.device("meta"):
            form = models.example(origin.network, hyperparameters)
        if form.numel() > LARGEST_EXAMPLE:
            raise TooLargeError
        example = torch.zeros(form.shape, dtype=form.dtype, device=place)
        if origin.channels_last:
            network = network.to(memory_format=torch.channels_last)
            example = example.to(memory_format=torch.channels_last)
    except TooLargeError as error:  # before time and memory are taken
        raise CheckpointError(
            f"the packed file {path} names a network of more values than {path.stat().st_size:,} bytes can hold; "
            f"{WAY_OUT}."
        ) from error
    except Exception as error:  # a constructor that is given nonsense may raise anything
        raise CheckpointError(
            f"the packed file {path} is of a model that this version cannot build ({_first_line(error)}); {WAY_OUT}."
        ) from error
    return _converted(path, origin, technique, network, Inputs((example,)), place)


def load_user_model(path: Path, network: nn.Module, example: object, device: str = "cpu") -> PackedModel:
    """Rebuild a variant of a user's model from its file and ``network``, the same model with any weights.

    ``network`` is changed in place. ``example`` is what ``inputs`` gave: a tensor, a tuple, a dict or ``(args,
    kwargs)``, batch first. All values that the model's state dict holds come from the file. Raises ``CheckpointError``
    and ``UnsupportedError`` as ``load``.
    """
    origin = _origin(path)
    place = _device(device)
    zeros = Inputs.of(example).changed(lambda value: torch.zeros_like(value, device=place))
    technique = TECHNIQUES.get(origin.technique)
    if origin.trained_as:
        network = TECHNIQUES.get(origin.trained_as).prepare(network)
    return _converted(path, origin, technique, network.eval().to(place), zeros, place)


def _origin(path: Path) -> Origin:
    manifest, _ = _read(path)
    try:
        return Origin.model_validate(manifest["origin"])
    except KeyError as error:
        raise CheckpointError(f"the packed file {path} does not say what it is of; {WAY_OUT}.") from error
    except ValidationError as error:
        raise CheckpointError(
            f"the packed file {path} does not say what it is of (origin.{first_fault(error)}); {WAY_OUT}."
        ) from error


def _converted(
    path: Path,
    origin: Origin,
    technique: Technique,
    network: nn.Module,
    example: Inputs,
    place: torch.device,
) -> PackedModel:
    """Apply the technique to the network with zeros for values, then load those of the file."""
    if reason := technique.unsupported_reason(place.type, origin.engine, torch.backends.quantized.supported_engines):
        raise UnsupportedError(
            f"the packed file {path} cannot be used here ({reason.partition(';')[0]}); load it on another device, or "
            f"{WAY_OUT} on this machine."
        )
    with torch.no_grad():
        normed = weight_norm.entries(network)  # a direction of zeros is none, and its weights would be NaN
        for name, tensor in network.state_dict().items():
            if isinstance(tensor, Tensor):
                tensor.fill_(1 if name in normed else 0)
    context = Context(place, origin.engine, frozenset(), lambda: [example])
    try:
        with any_range():
            artifact = technique.convert(network, context)
    except QuantbenchError:
        raise
    except Exception as error:  # a network of nonsense, which could yet be built, may raise anything
        raise CheckpointError(
            f"the packed file {path} is of a network that {technique.name} cannot convert ({_first_line(error)}); "
            f"{WAY_OUT}."
        ) from error
    unpack(artifact.module, path)
    return PackedModel(artifact, origin)


def pack(module: nn.Module, path: Path, origin: Origin | None = None) -> Packed:
    """Write the state of ``module`` atomically; raises ``CheckpointError`` for an entry that has no packed form.

    Without ``origin`` the file can be unpacked into a module of the same structure, and not be loaded by itself.
    """
    writer = Writer()
    entries: dict[str, object] = {}
    with quiet():
        state = module.state_dict()
        same = aliases(module, state)
        for name, value in state.items():
            try:
                entries[name] = {"same": same[name]} if name in same else writer.encode(value)
            except TypeError as error:
                raise CheckpointError(f"{name} cannot be packed ({error}); save it with torch.save.") from error
    tensors = writer.tensors()
    manifest = {
        "version": VERSION,
        CHECKSUM: _checksum(tensors),
        **({"origin": origin.model_dump()} if origin else {}),
        "modules": [part.get("version") for part in _modules(state)],
        "entries": entries,
    }
    metadata = {KEY: _compressed(manifest)}
    write_whole(path, safetensors.torch.save(tensors, metadata))
    return Packed(path.stat().st_size, {name: tensor.nbytes for name, tensor in tensors.items()})


def unpack(module: nn.Module, path: Path) -> None:
    """Load a file into a module of the structure it was packed from: the same technique on an untrained network.

    Raises ``CheckpointError`` for a file that is truncated, foreign, of another version or of another module.
    """
    manifest, tensors = _read(path)
    with quiet():
        try:
            reader = Reader(tensors)
            values: dict[str, object] = {}
            for name, entry in manifest["entries"].items():
                again = isinstance(entry, dict) and entry.keys() == {"same"}
                values[name] = values[entry["same"]] if again else reader.decode(entry)
            reader.finish()
            versions = _Versions.validate_python(manifest["modules"])
        except Exception as error:  # torch may raise anything about scales and sizes that are none
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
        except Exception as error:  # a module may raise anything about a state that is another's
            raise CheckpointError(
                f"the packed file {path} is of another module ({_line(error)}); "
                f"unpack it into the same network after the same technique, or {WAY_OUT}."
            ) from error


def _device(name: str) -> torch.device:
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:  # an AssertionError: this torch was built without it
        raise UnsupportedError(f"there is no device {name!r} here ({_first_line(error)}); load it on 'cpu'.") from error
    return place


def _modules(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what torch notes of each module in a state dict, beside the entries."""
    return list(state._metadata.values())  # type: ignore[attr-defined]


def _require_same(name: str, stored: dict[str, Any], expected: dict[str, Any]) -> None:
    # torch would cast another type silently, and asks nothing at all of the shape of a packed weight.
    forms = [form(values[name]) if name in values else "nothing" for values in (stored, expected)]
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
        raise CheckpointError(
            f"the packed file {path} cannot be read ({error.strerror}); name one that 'bench export' wrote."
        ) from error
    except Exception as error:  # torch may raise anything about types and shapes that it does not have
        raise CheckpointError(f"the packed file {path} is truncated or damaged ({_line(error)}); {WAY_OUT}.") from error
    if KEY not in metadata:
        raise CheckpointError(f"{path} is not a packed file of quantbench; {WAY_OUT}.")
    try:
        manifest = _decompressed(metadata[KEY])
        version = manifest["version"]
    except (LookupError, RecursionError, TypeError, ValueError, zlib.error) as error:
        raise CheckpointError(
            f"the packed file {path} has an invalid manifest ({_first_line(error)}); {WAY_OUT}."
        ) from error
    if version != VERSION:
        raise CheckpointError(
            f"the packed file {path} has format {shortened(version)}, and this version reads format {VERSION}; "
            f"{WAY_OUT}."
        )
    if CHECKSUM in manifest and manifest[CHECKSUM] != _checksum(tensors):
        raise CheckpointError(
            f"the packed file {path} is truncated or damaged (its values do not have the checksum it names); {WAY_OUT}."
        )
    return manifest, tensors


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Return the CRC-32 of all values, and -1 where some are of a type that none of ours are.

    A flipped bit among them would otherwise show as a worse model.
    """
    if not all(name_of(tensor.dtype) in STORED for tensor in tensors.values()):
        return -1
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, checksum)
    return checksum


def _compressed(manifest: dict[str, Any]) -> str:
    """Return JSON, deflated, in characters that the header's own JSON need not escape: a quarter of its length."""
    text = json.dumps(manifest, separators=(",", ":"))
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode()


def _decompressed(text: str) -> Any:
    inflater = zlib.decompressobj()
    content = inflater.decompress(base64.b85decode(text), MANIFEST_LIMIT)
    if not inflater.eof:
        raise ValueError("it is incomplete or too long")
    return json.loads(content)


def _first_line(error: Exception) -> str:
    return shortened(next(iter(str(error).splitlines()), "") or type(error).__name__, MESSAGE)


def _line(error: Exception) -> str:
    return shortened(" ".join(str(error).split()) or type(error).__name__, MESSAGE)
