"""What a study can be asked for: techniques that can be confined to layers, on a runtime that can confine them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.errors import RequestError, UnknownNameError
from bench.core.variant_key import BASELINE, EAGER
from bench.running.studied_model import StudiedModel
from bench.runtimes.base import RUNTIMES, Runtime
from bench.techniques import mixed
from bench.techniques.base import TECHNIQUES, Technique


def techniques_of(names: Sequence[str]) -> list[Technique]:
    """Return the techniques of a study; raises ``RequestError`` for one that cannot be confined to layers."""
    chosen = list(dict.fromkeys(TECHNIQUES.get(name) for name in names))
    for technique in chosen:
        if technique.name == BASELINE.technique:
            raise RequestError(
                f"{BASELINE} changes no layer; choose among {', '.join(mixed.layer_subset_techniques())}."
            )
        mixed.require_confinable(technique)
    return chosen


def runtime_of(name: str, chosen: Sequence[Technique], *, together: bool) -> Runtime:
    """Return the runtime of a study; ``together`` says whether one model is to have several of the techniques.

    Raises ``RequestError`` if no machine lets it confine them to layers, or if this one lacks what it needs.
    """
    offered = {runtime.name: runtime for runtime in RUNTIMES.offered()}
    if name not in offered:
        raise UnknownNameError("runtime", name, offered)
    runtime = offered[name]
    for technique in chosen:
        confined = mixed.of({mixed.REST: technique})
        if reason := runtime.lacks(confined):
            able = ", ".join(other for other, at in offered.items() if at.lacks(confined) is None)
            raise RequestError(
                f"{technique.name} cannot be confined to layers on {name}: {reason}; choose --runtime {able}."
            )
    if together:
        mixed.require_together(chosen)
        if reason := runtime.lacks(mixed.of({f"layer{number}": one for number, one in enumerate(chosen)})):
            raise RequestError(f"--recommend cannot mix {', '.join(one.name for one in chosen)} on {name}: {reason}.")
    if reason := runtime.missing():
        raise RequestError(f"{name} cannot be had here: {reason}.")
    return runtime


def require_possible(runtime: Runtime, technique: Technique, model: StudiedModel) -> None:
    """Raise ``RequestError`` if this machine, or the model's device, keeps the technique from working."""
    if runtime.name == EAGER:
        model.require_possible(technique, model.engine)
        return
    confined = mixed.of({mixed.REST: technique})
    if reason := runtime.unsupported_reason(confined, model.machine, model.device, model.engine):
        raise RequestError(f"{technique.name} is not supported on {runtime.name} here: {reason}.")
