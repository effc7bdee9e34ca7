"""What tells one variant of a model from another: the technique that made it, and the runtime that executes it."""

from __future__ import annotations

from dataclasses import dataclass

EAGER = "eager"
"""The runtime that is meant where none is named."""


@dataclass(frozen=True, order=True)
class VariantKey:
    """A technique on a runtime, printed ``static-qint8@onnxruntime``; ``@eager`` is left out."""

    technique: str
    """With its options, such as ``dorefa:w2a2``."""
    runtime: str = EAGER

    def __str__(self) -> str:
        return self.technique if self.runtime == EAGER else f"{self.technique}@{self.runtime}"

    @classmethod
    def parse(cls, text: str) -> VariantKey:
        """Read what ``str`` returns."""
        technique, _, runtime = text.partition("@")
        return cls(technique, runtime or EAGER)


BASELINE = VariantKey("fp32")
"""The variant that speed-ups and sizes are held against."""
