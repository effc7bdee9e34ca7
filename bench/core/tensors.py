"""The tensors in what models take and return: one, or tuples, lists, dicts and dataclasses of them."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import torch
from torch import Tensor


def tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the tensors within ``value``, in order; anything else is skipped."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_in(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name))


def changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return ``value`` with ``change`` made to each tensor within, in containers of the same kind."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, MutableMapping):
        parts = {key: changed(part, change) for key, part in value.items()}
        if type(value) is dict:
            return parts
        copied = copy.copy(value)
        for key, part in parts.items():  # a kind of dict whose constructor may want something else
            copied[key] = part
        return copied
    if isinstance(value, tuple | list):
        among = [changed(part, change) for part in value]
        return type(value)(*among) if hasattr(value, "_fields") else type(value)(among)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: changed(getattr(value, name), change) for name in names})
    return value


def as_arrays(tensors: Iterable[Tensor]) -> list[Any]:
    """Return tensors as numpy has them: floating-point ones as float32, for it has no bfloat16."""
    return [
        (value.float() if value.is_floating_point() else value).detach().cpu().contiguous().numpy() for value in tensors
    ]


def digest(tensors: Iterable[Tensor]) -> str:
    """Return the SHA-256 over the bytes of tensors, in order."""
    hasher = hashlib.sha256()
    for tensor in tensors:
        values = tensor.int_repr() if tensor.is_quantized else tensor
        hasher.update(values.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return hasher.hexdigest()
