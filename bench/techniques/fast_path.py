"""torch's one operator for a whole encoder layer: it takes plain weights, and would pass quantized layers over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def leave(model: nn.Module) -> None:
    """Let the encoder layers of ``model`` whose Linear layers are plain no more run part by part, wherever it runs."""
    from torch import nn

    for layer in split(model):
        layer.activation_relu_or_gelu = 0  # as with any activation that the operator does not know
    for part in model.modules():
        if isinstance(part, nn.TransformerEncoder) and split(part):
            part.use_nested_tensor = False  # which the parts alone cannot take


def split(model: nn.Module) -> list[nn.TransformerEncoderLayer]:
    """Return the encoder layers with a Linear layer that is plain no more."""
    from torch import nn

    return [
        part
        for part in model.modules()
        if isinstance(part, nn.TransformerEncoderLayer)
        and any(type(layer) is not nn.Linear for layer in (part.linear1, part.linear2))
    ]
