"""A bound on what is built: a network from a stranger's file is stopped while it grows, and not after minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)


class TooLargeError(Exception):
    """A network of more values than it may have."""


@contextmanager
def bounded(values: int) -> Iterator[None]:
    """Raise ``TooLargeError`` as soon as modules have been given more than ``values`` parameters and buffers.

    One that takes the place of another counts too.
    """
    built = 0

    def count(module: nn.Module, name: str, value: Tensor | None) -> None:
        nonlocal built
        built += 0 if value is None else value.numel()
        if built > values:
            raise TooLargeError

    handles = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
