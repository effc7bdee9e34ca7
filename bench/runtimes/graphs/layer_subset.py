"""Techniques that a mixture confines to layers, on runtimes that have quantizers of their own: one, and float32."""

from __future__ import annotations

from collections.abc import Callable

from bench.runtimes.base import Source
from bench.techniques.base import Technique
from bench.techniques.mixed import Mixed


def whole(technique: Technique) -> Technique:
    """Return the technique that a mixture confines to layers; what is no mixture, or one of several, as it is."""
    confined = technique.changing if isinstance(technique, Mixed) else []
    return confined[0] if len(confined) == 1 else technique


def lacks_mixture(mixture: Mixed, lacks: Callable[[Technique], str | None]) -> str | None:
    """Return why a runtime has no such mixture; ``lacks`` says it of other techniques. ``None`` if it has.

    Of ``mixed`` alone, which names no layers yet, nothing is lacking.
    """
    if len(mixture.changing) > 1:
        return "a mixture is of one technique and fp32 here, for the quantizer is the runtime's own; choose eager"
    return next((lacks(technique) for technique in mixture.changing), None)


def layers_of(source: Source) -> frozenset[str] | None:
    """Return the names of the layers that a mixture changes; ``None`` where all may change.

    Raises ``UnsupportedError`` for layers that the model does not have, or that do not change.
    """
    technique = source.technique
    return technique.changed_layers(source.model()) if isinstance(technique, Mixed) else None
