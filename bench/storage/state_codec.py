"""A state dict as JSON entries and, for each stored type, one run of values: what a packed file consists of.

One stored tensor for each entry would cost a hundred bytes of header an entry, a tenth of a small int8 model. Grammar
of an entry::

    null, a number, true, false     itself
    "qint8"                         the torch dtype
    ["int8", [16, 3]]               a tensor of this type and shape: the next 48 values stored in that type
    ["int8", [], "int64"]           the same, cast to the type that it had
    {"tuple": [entry, …]}           a tuple
    {"complex": entry}              a complex tensor, its real and imaginary parts along the last axis
    {"packed": entry}               what torch packs of a recurrent layer, of the parts that the tuple has
    {"same": "embed.weight"}        the values of that entry, which came before
    {"q": entry, "scale": entry, "zero": entry}                an integer tensor, quantized per tensor
    {"q": entry, "scale": entry, "zero": entry, "axis": 0}     …, per channel along this axis
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from bench.storage import recurrent

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64)
BITS = {dtype.itemsize: dtype for dtype in INTEGERS}


def name_of(dtype: torch.dtype) -> str:
    """Return the name such as ``float16``."""
    return str(dtype).removeprefix("torch.")


STORED = {name_of(dtype): dtype for dtype in (*FLOATS, *INTEGERS, torch.uint8, torch.bool)}
"""The types that values are stored in."""
DTYPES = STORED | {name_of(dtype): dtype for dtype in (torch.qint8, torch.quint8, torch.qint32)}
"""The dtypes that may be values themselves."""
MOST_DIMENSIONS = 64
"""Of torch's tensors."""
PER_TENSOR, PER_CHANNEL = torch.per_tensor_affine, torch.per_channel_affine


def narrow(tensor: Tensor) -> Tensor:
    """Return the tensor in the shortest of ``FLOATS`` or ``INTEGERS`` from which a cast gives the same bits back."""
    if tensor.is_floating_point() and tensor.isnan().any():
        return tensor  # what a cast makes of a NaN's payload is the processor's choice
    for dtype in FLOATS if tensor.dtype in FLOATS else INTEGERS if tensor.dtype in INTEGERS else ():
        if dtype.itemsize < tensor.itemsize:
            shorter = tensor.to(dtype)
            # As integers: to a comparison of floats -0.0 is 0.0, and so are subnormals where they are flushed.
            if torch.equal(_bits(shorter.to(tensor.dtype)), _bits(tensor)):
                return shorter
    return tensor


def _bits(tensor: Tensor) -> Tensor:
    return tensor.view(BITS[tensor.itemsize])


def form(value: object) -> object:
    """Return what must be the same of an entry in two states of one module: all but the values."""
    if isinstance(value, Tensor):
        scheme = [str(value.qscheme())] if value.is_quantized else []
        if scheme == [str(PER_CHANNEL)]:  # kernels read as many scales as there are channels, and do not count them
            parts = value.q_per_channel_scales(), value.q_per_channel_zero_points()
            scheme += [f"along {value.q_per_channel_axis()}", *map(str, map(form, parts))]
        return " ".join([*scheme, name_of(value.dtype), str(list(value.shape))])
    if isinstance(value, tuple):
        return tuple(form(part) for part in value)
    if isinstance(value, torch.ScriptObject):
        return form(recurrent.parts(value))
    return str(value) if isinstance(value, torch.dtype) else type(value).__name__


class Writer:
    """Turns entries into JSON and gathers their tensors' values."""

    def __init__(self) -> None:
        self._runs: dict[torch.dtype, list[Tensor]] = {}

    def encode(self, value: object) -> object:
        """Return the JSON of an entry; raises ``TypeError`` that names what has none."""
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, tuple):
            return {"tuple": [self.encode(part) for part in value]}
        if isinstance(value, torch.ScriptObject):
            return {"packed": self.encode(recurrent.parts(value))}
        if isinstance(value, Tensor) and value.is_complex():
            return {"complex": self.encode(torch.view_as_real(value.detach().resolve_conj().contiguous()))}
        if isinstance(value, torch.dtype) and name_of(value) in DTYPES:
            return name_of(value)
        if isinstance(value, Tensor) and value.is_quantized:
            return self._encode_quantized(value)
        if isinstance(value, Tensor) and value.layout == torch.strided and name_of(value.dtype) in STORED:
            return self._encode_tensor(value.detach().cpu())
        what = f"{name_of(value.dtype)} tensor" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"a packed file has no form for a {what}")

    def _encode_tensor(self, tensor: Tensor) -> object:
        stored = narrow(tensor)
        self._runs.setdefault(stored.dtype, []).append(stored.reshape(-1))
        entry: list[object] = [name_of(stored.dtype), list(stored.shape)]
        return entry if stored.dtype == tensor.dtype else [*entry, name_of(tensor.dtype)]

    def _encode_quantized(self, tensor: Tensor) -> object:
        scheme = tensor.qscheme()
        if scheme == PER_TENSOR:
            return {"q": self.encode(tensor.int_repr()), "scale": tensor.q_scale(), "zero": tensor.q_zero_point()}
        if scheme == PER_CHANNEL:
            return {
                "q": self.encode(tensor.int_repr()),
                "scale": self.encode(tensor.q_per_channel_scales()),
                "zero": self.encode(tensor.q_per_channel_zero_points()),
                "axis": tensor.q_per_channel_axis(),
            }
        raise TypeError(f"a packed file has no form for a tensor quantized by {scheme}")

    def tensors(self) -> dict[str, Tensor]:
        """Return the values gathered so far, flat, by the name of their type."""
        return {name_of(dtype): torch.cat(run) for dtype, run in self._runs.items()}


class Reader:
    """Rebuilds entries from their JSON, in the order in which they were written."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._rest = dict(tensors)

    def decode(self, entry: object) -> object:
        """Return an entry that owns its memory; raises ``ValueError`` or ``RuntimeError`` where it cannot be."""
        match entry:
            case None | bool() | int() | float():
                return entry
            case str() if entry in DTYPES:
                return DTYPES[entry]
            case [str(stored), [*shape]]:
                return self._take(stored, shape, stored)
            case [str(stored), [*shape], str(original)]:
                return self._take(stored, shape, original)
            case {"tuple": [*parts], **rest} if not rest:
                return tuple(self.decode(part) for part in parts)
            case {"complex": parts, **rest} if not rest:
                return torch.view_as_complex(self._tensor(parts))
            case {"packed": {"tuple": [*parts]}, **rest} if not rest:
                return recurrent.packed([self.decode(part) for part in parts])
            case {"q": q, "scale": float(scale), "zero": int(zero), **rest} if not rest:
                return torch._make_per_tensor_quantized_tensor(self._tensor(q), scale, zero)
            case {"q": q, "scale": scale, "zero": zero, "axis": int(axis), **rest} if not rest:
                integers, scales, zeros = [self._tensor(part) for part in (q, scale, zero)]  # as they were written
                return torch._make_per_channel_quantized_tensor(integers, scales, zeros, axis)
        raise ValueError(f"unknown form of entry: {str(entry)[:80]}")

    def _tensor(self, entry: object) -> Tensor:
        value = self.decode(entry)
        if not isinstance(value, Tensor):
            raise ValueError(f"{str(entry)[:80]} is not a tensor")
        return value

    def _take(self, stored: str, shape: list[object], original: str) -> Tensor:
        sizes = [size for size in shape[: MOST_DIMENSIONS + 1] if isinstance(size, int) and 0 <= size < 2**63]
        run = self._rest.get(stored, torch.empty(0))
        count = math.prod(sizes)
        if not len(sizes) == len(shape) <= MOST_DIMENSIONS or original not in STORED or count > len(run):
            raise ValueError(f"{stored} {shape} is too large or not a shape")
        self._rest[stored] = run[count:]
        return run[:count].reshape(sizes).to(STORED[original], copy=True)

    def finish(self) -> None:
        """Raise ``ValueError`` for values that no entry took."""
        for name, run in self._rest.items():
            if len(run):
                raise ValueError(f"{len(run)} values of {name} belong to no entry")
