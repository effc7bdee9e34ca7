"""torch's one operator for a whole encoder layer: it reads plain weights and would ignore quantized layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def leave(model: nn.Module) -> None:
    """Make the encoder layers of ``model`` that have quantized Linear layers run part by part."""
    from torch import nn

    for layer in split(model):
        layer.activation_relu_or_gelu = 0  # as with any activation that the operator does not know
    for part in model.modules():
        if isinstance(part, nn.TransformerEncoder) and split(part):
            part.use_nested_tensor = False  # which the parts alone cannot take


def split(model: nn.Module) -> list[nn.TransformerEncoderLayer]:
    """Return the encoder layers with a Linear layer that is no longer a plain one."""
    from torch import nn

    return [
        part
        for part in model.modules()
        if isinstance(part, nn.TransformerEncoderLayer)
        and any(type(layer) is not nn.Linear for layer in (part.linear1, part.linear2))
    ]
