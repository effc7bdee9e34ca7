"""A variant made in the process of a test: by a technique on eager PyTorch, or by another runtime."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from bench.core.copies import copy_of
from bench.core.errors import CheckpointError, UnsupportedError
from bench.core.inputs import Inputs
from bench.core.variant_key import BASELINE, EAGER
from bench.measuring import machine, params, size
from bench.results.machine import Machine
from bench.results.row import Layers, Treated
from bench.runtimes.base import RUNTIMES, Built, Executable, Source
from bench.runtimes.eager import EagerExecutable
from bench.storage import packed
from bench.storage.graph_cache import GraphCache
from bench.techniques.base import Technique
from bench.worker.convert import Conversion, Target, convert, layers_of, notes_on, treated_by
from bench.worker.user.examples import Examples
from bench.worker.user.usable import uncompiled
from bench.worker.user.workload import notes

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Made:
    """What is timed, and what is known of it."""

    executable: Executable
    size_bytes: int
    """Of the state dict; on another runtime than eager of its files."""
    packed_bytes: int | None
    params: int
    layers: Layers | None
    """``None`` on another runtime than eager."""
    treated: Treated | None
    simulated: bool
    notes: list[str]


def make(technique: Technique, runtime: str, model: nn.Module, examples: Examples, batch: Inputs, folder: Path) -> Made:
    """Apply the technique to a copy of the model for a runtime, which writes its files to ``folder``.

    Raises ``UnsupportedError`` for what cannot be had, and ``UnknownNameError`` for an unknown runtime.
    """
    if runtime == EAGER:
        return _on_eager(technique, model, examples, batch, folder)
    chosen, engine = RUNTIMES.get(runtime), torch.backends.quantized.engine
    if reason := chosen.unsupported_reason(technique, here(), "cpu", engine):
        raise UnsupportedError(reason)
    calibrated: list[int] = []
    threads = torch.get_num_threads()

    def calibration() -> list[Inputs]:
        calibrated.append(1)
        return list(examples.to_calibrate_with())

    built: Built = chosen.build(
        Source(
            technique=technique,
            convert=lambda: _converted(technique, model, examples, batch).artifact,
            model=lambda: _copied(model),
            inputs=batch.repeated,
            calibration=calibration,
            origin=packed.Origin(model=type(model).__name__, technique=technique.name, engine=engine),
            cache=lambda: GraphCache(folder / "graphs", "the model of this test"),
            isa=frozenset(here().isa),
            threads=threads,
            as_given=True,
            batch_sizes=(batch.batch_size,),
        ),
        folder / "variant",
    )
    torch.set_num_threads(threads)
    return Made(
        executable=built.executable,
        size_bytes=built.file_bytes or 0,
        packed_bytes=built.packed.file_bytes if built.packed else None,
        params=params.count_parameters(model),
        layers=None,
        treated=None,
        simulated=built.artifact is not None and built.artifact.simulated,
        notes=[*built.notes, *notes(examples, built.artifact, calibrated=bool(calibrated))],
    )


def _on_eager(technique: Technique, model: nn.Module, examples: Examples, batch: Inputs, folder: Path) -> Made:
    conversion = _converted(technique, model, examples, batch)
    artifact, before = conversion.artifact, conversion.before
    return Made(
        executable=EagerExecutable(artifact),
        size_bytes=size.state_dict_bytes(artifact.module),
        packed_bytes=_packed_bytes(artifact.module, folder),
        params=params.count_parameters(artifact.module),
        layers=layers_of(artifact, before),
        treated=treated_by(technique.name, artifact, before),
        simulated=artifact.simulated,
        notes=[
            *artifact.notes,
            *notes_on(technique.name, artifact, before),
            *notes(examples, artifact, calibrated=conversion.calibrated),
        ],
    )


def _converted(technique: Technique, model: nn.Module, examples: Examples, batch: Inputs) -> Conversion:
    """Apply the technique to a copy."""
    copied = _copied(model)
    if technique.name != BASELINE.technique:
        with torch.inference_mode():
            batch.call(copied)  # what fails here is the test's matter, and what fails only afterwards the technique's
    target = Target(CPU, torch.backends.quantized.engine, frozenset(here().isa))
    calibration = examples.to_calibrate_with
    return convert(technique.name, lambda: copied, batch, calibration, target, supplied=False, own_training=False)


def _copied(model: nn.Module) -> nn.Module:
    return uncompiled(copy_of(model).eval())[0]


@functools.cache
def here() -> Machine:
    """Return this machine, which does not change."""
    return machine.describe()


def _packed_bytes(module: nn.Module, folder: Path) -> int | None:
    try:
        return packed.pack(module, folder / "packed").file_bytes
    except CheckpointError:
        return None
