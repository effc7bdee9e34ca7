"""Which tensors of a model are one: tied weights, and layers that stand under several names."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn


def place(tensor: Tensor) -> Hashable:
    """Return what two tensors have in common that are the same values in memory, however they are viewed."""
    if tensor.is_meta or tensor.is_quantized or not tensor.numel():
        return id(tensor)
    return tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.numel(), tensor.dtype


def distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the tensors without those that share their values with one before."""
    return list({place(tensor): tensor for tensor in tensors}.values())


def tied_parameters(module: nn.Module) -> list[list[str]]:
    """Return the names of parameters that are one, those of each in a list."""
    names: dict[Hashable, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(place(parameter), []).append(name)
    return [group for group in names.values() if len(group) > 1]


def aliases(module: nn.Module, state: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of a state dict whose values an entry before them has too, each with the name of that one.

    What a packed layer has is unpacked anew for each of its names, so that layers are told by themselves.
    """
    first_names: dict[int, str] = {}
    first_entries: dict[Hashable, str] = {}
    renamed = {
        name: first_names.setdefault(id(part), name) for name, part in module.named_modules(remove_duplicate=False)
    }
    same: dict[str, str] = {}
    for entry, value in state.items():
        prefix, _, attribute = entry.rpartition(".")
        while prefix and prefix not in renamed:  # packed layers have dots in the names of their entries
            prefix, _, above = prefix.rpartition(".")
            attribute = f"{above}.{attribute}"
        first = ".".join(filter(None, (renamed.get(prefix, prefix), attribute)))
        if first != entry and first in state:
            same[entry] = first
        elif isinstance(value, Tensor) and not value.is_quantized and not value.is_meta and value.numel():
            viewed = (place(value), tuple(value.shape), value.stride())
            if (other := first_entries.setdefault(viewed, entry)) != entry:
                same[entry] = other
    return same
