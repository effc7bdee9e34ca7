"""Single precision: the model as it was trained, which every other variant is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.techniques.base import Artifact, Context, Technique, technique

if TYPE_CHECKING:
    from torch import nn


@technique
class Fp32(Technique):
    """No change."""

    name = "fp32"
    dtype_name = "float32"
    scheme = "--"
    summary = "float32 as trained: the baseline"

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Return the model itself."""
        return Artifact(model, model)
