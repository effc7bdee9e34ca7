"""The worker that tries a user's model: errors in it are found here, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.core.errors import UserModelError
from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.core.sharing import distinct
from bench.core.tensors import tensors_in
from bench.measuring.free_memory import free_memory_bytes
from bench.worker import layers
from bench.worker.messages import QuantizableLayer
from bench.worker.user.build import (
    answers_at_random,
    build,
    build_uncompiled,
    digest_weights,
    macs_of,
    seed_everything,
    try_on,
)
from bench.worker.user.examples import Examples, make_batches, make_calibration
from bench.worker.user.given import calibration_batch, on_cpu
from bench.worker.user.memory import shortage
from bench.worker.user.model import BuiltModel, UserFacts, UserModel


class UserHost:
    """Builds the model, makes its inputs, tries them."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def take_on(
        self, definition: UserModel, path: Path, batch_sizes: Sequence[int], seed: int, threads: int
    ) -> UserFacts:
        """Write example inputs of each batch size to ``path`` and return what is known; raises ``UserModelError``."""
        parts = [part for part in (definition.inputs, definition.evaluate, definition.calibrate) if part is not None]
        definition.model.load()
        for part in parts:
            if part.path == definition.model.path:
                part.load()  # a name that is missing shows before a slow build, where no other file is imported for it
        module, compiled = build_uncompiled(definition.model, seed)
        weight_bytes = _weight_bytes(module, definition.model.words)
        weights = digest_weights(module)
        for part in parts:
            part.load()
        torch.set_num_threads(threads)  # here, for the files may set them
        seed_everything(seed)
        batches = {
            size: on_cpu(batch, definition.inputs.words)
            for size, batch in make_batches(definition.inputs, batch_sizes).items()
        }
        outputs = try_on(module, batches.values(), definition, definition.inputs)
        calibration: list[Inputs] = []
        if (calibrate := definition.calibrate) is not None:
            example, inputs = next(iter(batches.values())), definition.inputs
            calibration = make_calibration(
                calibrate, lambda batch: calibration_batch(batch, example, module, calibrate.words, inputs.words)
            )
            try_on(module, _one_of_each_kind(calibration), definition, calibrate)
        examples = Examples(batches, calibration)
        examples.save(path)
        random = answers_at_random(module, examples.batch(1))
        return UserFacts(
            path,
            weights,
            macs_of(module, examples.one()),
            examples.describe(),
            weight_bytes=weight_bytes,
            random=random,
            remarks=(*_of_rows(dict(zip(batches, outputs, strict=True))), *_of_itself(random, compiled)),
        )

    def modules(self, built: BuiltModel) -> list[str]:
        """Return the names of all that it is made of."""
        return [name for name, _ in build(built.definition.model, built.seed).named_modules() if name]

    def quantizable_layers(self, built: BuiltModel, technique: str) -> list[QuantizableLayer]:
        """Return the layers that a technique would change, in the model's order."""
        return layers.quantizable_layers(build(built.definition.model, built.seed), technique)


def _of_rows(outputs: Mapping[int, Any]) -> tuple[str, ...]:
    """Say so where the number of rows that come out does not follow the batch: its latencies are of the same work."""
    firsts = {size: next(tensors_in(value)) for size, value in outputs.items()}
    rows = {size: len(value) for size, value in firsts.items() if value.dim()}
    if len(rows) < 2 or len(set(rows.values())) > 1:
        return ()
    sizes = " and ".join(map(str, rows))
    return (f"the model returns {min(rows.values())} rows at batch {sizes} alike, so that these may be the same work",)


def _of_itself(random: bool, compiled: bool) -> tuple[str, ...]:
    remarks = {
        "the model answers at random: its outputs are compared under one seed, and differ from call to call": random,
        "the model was given compiled; all rows are of the module that was compiled, @inductor compiles it": compiled,
    }
    return tuple(remark for remark, holds in remarks.items() if holds)


def _weight_bytes(module: nn.Module, words: str) -> int:
    """Return what the weights take; raises ``UserModelError`` where no process could make a variant of the model."""
    weight_bytes = sum(value.nbytes for value in distinct([*module.parameters(), *module.buffers()]))
    free_bytes = free_memory_bytes() + weight_bytes  # what is held here goes with this process
    if reason := shortage(weight_bytes, free_bytes):
        raise UserModelError(
            f"{words} gives a model that is too large here: {reason}; end other programs, or measure where there "
            f"is more memory."
        )
    return weight_bytes


def _one_of_each_kind(batches: Sequence[Inputs]) -> Iterable[Inputs]:
    """Return the first batch of each combination of types and shapes, the number of rows apart."""
    kinds: dict[object, Inputs] = {}
    for batch in batches:
        kinds.setdefault(tuple((value.dtype, value.shape[1:]) for value in batch.tensors), batch)
    return kinds.values()
