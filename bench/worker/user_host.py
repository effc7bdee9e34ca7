"""The worker that tries a user's model: errors in it are found here, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.worker.user.build import build, digest_weights, macs_of, seed_everything, try_on
from bench.worker.user.examples import Examples, make_batches, make_calibration
from bench.worker.user.given import calibration_batch
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
        if (calibrate := definition.calibrate) is not None:
            example, inputs = next(iter(batches.values())), definition.inputs
            calibration = make_calibration(
                calibrate, lambda batch: calibration_batch(batch, example, module, calibrate.words, inputs.words)
            )
            try_on(module, _one_of_each_kind(calibration), definition, calibrate)
        examples = Examples(batches, calibration)
        examples.save(path)
        return UserFacts(path, weights, macs_of(module, examples.batch(1)), examples.describe())


def _one_of_each_kind(batches: Sequence[Inputs]) -> Iterable[Inputs]:
    """Return the first batch of each combination of types and shapes, the number of rows apart."""
    kinds: dict[object, Inputs] = {}
    for batch in batches:
        kinds.setdefault(tuple((value.dtype, value.shape[1:]) for value in batch.tensors), batch)
    return kinds.values()
