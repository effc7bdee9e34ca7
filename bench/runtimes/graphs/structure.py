"""How a model returns its tensors: graphs return them one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.runtimes.base import Source

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Structure:
    """Puts tensors where the model has them: in tuples, dicts, dataclasses."""

    example: Any = None
    """What the model returned; ``None`` where that is not known."""
    names: tuple[str, ...] = ()
    """Of its inputs, in the order of the graph; none where they are given in that order."""

    @classmethod
    def of(cls, source: Source) -> Structure:
        """Return that of what the float32 model returns."""
        import torch

        with torch.inference_mode():
            inputs = source.inputs(1)
            return cls(inputs.call(source.model()), inputs.names)

    def restore(self, tensors: Sequence[Tensor]) -> Any:
        """Return the tensors as the model would; without an example the only one, or a tuple."""
        from bench.core.tensors import changed

        if self.example is None:
            return tensors[0] if len(tensors) == 1 else tuple(tensors)
        remaining = iter(tensors)
        return changed(self.example, lambda _: next(remaining))
