"""Size on disk: the file that ``torch.save(model.state_dict())`` writes, each layer and tensor once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.core.sharing import aliases, distinct
from bench.core.units import megabytes
from bench.tasks.temporary import temporary_folder

FILE_NAME = "temp.p"
"""torch.save writes the name into the archive, so it is part of the size."""


def state_dict_bytes(module: nn.Module) -> int:
    """Return the length in bytes of the saved state dict; a packed layer of several names is stored once."""
    state = module.state_dict()
    state.update({name: state[first] for name, first in aliases(module, state).items()})
    with temporary_folder() as folder:
        path = folder / FILE_NAME
        torch.save(state, path)
        return path.stat().st_size


def view_note(module: nn.Module, size_bytes: int) -> tuple[str, ...]:
    """Say so where the saved state dict holds more than twice the values: ``torch.save`` stores a view's storage."""
    values = [value for value in module.state_dict().values() if isinstance(value, Tensor) and not value.is_quantized]
    stored = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in values}
    needed_bytes = sum(value.nbytes for value in distinct(values))
    if sum(stored.values()) <= 2 * needed_bytes:
        return ()
    return (
        (
            f"its weights are views of larger tensors, which torch.save stores whole: {megabytes(size_bytes)} MB for "
            f"{megabytes(needed_bytes)} MB of values; clone the weights. × smaller compares packed files, without them"
        ),
    )
