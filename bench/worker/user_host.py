"""The worker that takes a user's model on: all that is wrong with it is found here, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from bench.core.errors import UserModelError
from bench.core.report import Report
from bench.core.tensors import Inputs
from bench.core.units import counted
from bench.worker.user.build import build, digest_weights, macs_of, seed_everything, try_on
from bench.worker.user.callables import Part
from bench.worker.user.examples import Examples, make_batches, make_calibration
from bench.worker.user.model import UserFacts, UserModel


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
        module = build(definition.model, seed)
        weights = digest_weights(module)
        for part in parts:
            part.load()
        torch.set_num_threads(threads)  # here, for the files may set them
        seed_everything(seed)
        batches = make_batches(definition.inputs, batch_sizes)
        try_on(module, batches.values(), definition, definition.inputs)
        calibration: list[Inputs] = []
        if definition.calibrate is not None:
            calibration = make_calibration(definition.calibrate)
            _require_inputs_alone(calibration, next(iter(batches.values())), definition.calibrate, definition.inputs)
            try_on(module, _one_of_each_kind(calibration), definition, definition.calibrate)
        examples = Examples(batches, calibration)
        examples.save(path)
        return UserFacts(path, weights, macs_of(module, examples.batch(1)), examples.describe())


def _require_inputs_alone(calibration: Sequence[Inputs], example: Inputs, calibrate: Part, inputs: Part) -> None:
    for batch in calibration:
        if len(batch) > len(example):
            raise UserModelError(
                f"{calibrate.words} gives batches of {counted(len(batch), 'tensor')}, and {inputs.words} of "
                f"{counted(len(example), 'tensor')}: they are inputs alone; leave the labels out."
            )


def _one_of_each_kind(batches: Sequence[Inputs]) -> Iterable[Inputs]:
    """Return the first batch of each combination of types and shapes, the number of rows apart."""
    kinds: dict[object, Inputs] = {}
    for batch in batches:
        kinds.setdefault(tuple((value.dtype, value.shape[1:]) for value in batch), batch)
    return kinds.values()
