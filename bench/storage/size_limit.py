"""A bound on what is built: a network from a stranger's file is stopped while it grows, and not after minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

VALUES_PER_BYTE = 8
"""Of a file, at one bit each; scales, statistics and manifest make it larger."""
MOST_PARTS = 20_000
"""Modules, parameters and buffers, which may be empty; most are named in the file, so they are fewer than its bytes."""


class TooLargeError(Exception):
    """A network of more values than it may have."""


def within(file_bytes: int, build: Callable[[], nn.Module]) -> nn.Module:
    """Return what ``build`` builds, on the meta device: no time goes into random weights that are overwritten.

    Raises ``TooLargeError`` for more values than a file of so many bytes can hold, and whatever ``build`` raises.
    """
    room = VALUES_PER_BYTE * file_bytes
    bound = _bounded(2 * room, min(MOST_PARTS, file_bytes))  # twice: a technique may replace what was built
    with torch.device("meta"), bound:
        network = build()
    if sum(value.numel() for value in network.state_dict().values() if isinstance(value, Tensor)) > room:
        raise TooLargeError
    return network


@contextmanager
def _bounded(values: int, most_parts: int) -> Iterator[None]:
    """Raise ``TooLargeError`` as soon as there are more than ``most_parts`` parts, or more than ``values`` in them.

    One that takes the place of another counts too.
    """
    built = parts = 0

    def count(module: nn.Module, name: str, value: object) -> None:
        nonlocal built, parts
        parts += 1
        built += value.numel() if isinstance(value, Tensor) else 0
        if built > values or parts > most_parts:
            raise TooLargeError

    handles = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
        register_module_module_registration_hook(count),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
