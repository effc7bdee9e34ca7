"""A technique applied to a model: what it cannot do is a reason, and an unchanged model is not a row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bench.core.errors import QuantbenchError, UnsupportedError
from bench.core.inputs import Inputs
from bench.core.tracebacks import describe_exception
from bench.core.variant_key import BASELINE
from bench.measuring import params, treated
from bench.measuring.treated import FloatModel
from bench.results.row import Layers, Treated
from bench.techniques.base import TECHNIQUES, Artifact, Context


@dataclass(frozen=True)
class Conversion:
    """The result."""

    artifact: Artifact
    """It has answered an example once."""
    before: FloatModel
    """What the float32 model was."""
    calibrated: bool
    """Whether the technique looked at inputs to calibrate with."""


@dataclass(frozen=True)
class Target:
    """Where a variant will run."""

    device: torch.device
    engine: str
    isa: frozenset[str]


def convert(
    technique: str,
    model: Callable[[], nn.Module],
    example: Inputs,
    calibration: Callable[[], Sequence[Inputs]],
    target: Target,
    *,
    supplied: bool,
    own_training: bool,
) -> Conversion:
    """Apply ``technique`` to a float32 model and let the result answer ``example``.

    ``calibration`` returns batches of inputs. A ``supplied`` model is one of a task, known to work; of a user's, any
    failure that fp32 does not share is the technique's. ``own_training`` says whether it was trained as the technique
    asks. Raises ``UnsupportedError`` where the technique cannot convert the model.
    """
    looked_at: list[int] = []

    def batches() -> list[Inputs]:
        looked_at.append(1)
        return [batch.changed(lambda value: value.to(target.device)) for batch in calibration()]

    context = Context(target.device, target.engine, target.isa, batches, not supplied, own_training)
    float32 = model()
    before = FloatModel.of(float32)
    with _explained(technique, supplied):
        artifact = TECHNIQUES.get(technique).convert(float32.to(target.device), context)
    with torch.inference_mode(), _explained(technique, supplied):
        example.cast(target.device, getattr(torch, artifact.input_dtype)).call(artifact.forward)
    if not supplied and technique != BASELINE.technique:
        _require_changed(artifact, before)
    return Conversion(artifact, before, bool(looked_at))


def layers_of(artifact: Artifact, before: FloatModel) -> Layers:
    """Return how many weight layers were changed."""
    return Layers(changed=max(0, before.layers - params.count_plain_layers(artifact.module)), total=before.layers)


def treated_by(technique: str, artifact: Artifact, before: FloatModel) -> Treated | None:
    """Return how much was changed; ``None`` where nothing was to be: fp32, and float32 weights under autocast."""
    if technique == BASELINE.technique or artifact.forward is not artifact.module:
        return None
    return treated.treated(before, artifact.module)


def notes_on(technique: str, artifact: Artifact, before: FloatModel) -> tuple[str, ...]:
    """Say what a technique left alone, and which ties it broke."""
    changed = treated_by(technique, artifact, before)
    partial = changed is not None and changed.params > 0 and artifact.input_dtype == "float32"
    left_alone = treated.left_alone_note(before, artifact.module) if partial else ()
    return (*left_alone, *treated.broken_ties_note(before, artifact.module))


def _require_changed(artifact: Artifact, before: FloatModel) -> None:
    """Refuse a row that would show the float32 model under another name."""
    if artifact.input_dtype == "float32" and artifact.forward is artifact.module:
        if treated.treated(before, artifact.module).params:
            return
        what = "; ".join(treated.left_alone_note(before, artifact.module)) or "the model has no parameters"
        raise UnsupportedError(f"it can change no layer of this model; {what}")


@contextlib.contextmanager
def _explained(technique: str, supplied: bool) -> Iterator[None]:
    """Let a fault that is the technique's inability with this model be an ``UnsupportedError``."""
    try:
        yield
    except QuantbenchError:
        raise
    except Exception as error:
        if reason := _why_unsupported(error, technique, supplied):
            raise UnsupportedError(reason) from error
        raise


def _why_unsupported(error: Exception, technique: str, supplied: bool) -> str | None:
    """Return why an exception means that the technique cannot convert the model; ``None`` if it means a fault."""
    if isinstance(error, NotImplementedError | RuntimeError) and "not implemented for" in str(error):
        return f"this torch cannot do it: {describe_exception(error)}"
    if supplied or technique == BASELINE.technique or isinstance(error, MemoryError):
        return None
    if "can't allocate memory" in str(error) or "out of memory" in str(error):
        return None
    return f"the model does not work as {technique}: {describe_exception(error)}"
