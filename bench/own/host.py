"""The worker that takes a user's model on: all that is wrong with it is found here, before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from bench.own.building import build, digest_weights, macs_of, seed_everything, try_on
from bench.own.examples import Examples, make_batches, make_calibration
from bench.own.model import OwnFacts, OwnModel
from bench.worker import Report


class OwnHost:
    """Builds the model, makes its inputs, tries them."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def take_on(self, own: OwnModel, path: Path, batch_sizes: Sequence[int], seed: int, threads: int) -> OwnFacts:
        """Write example inputs of each batch size to ``path`` and return what is known; raises ``OwnModelError``."""
        torch.set_num_threads(threads)
        for part in (own.inputs, own.evaluate, own.calibrate):
            if part is not None:
                part.load()  # a name that is missing shows before a slow build
        module = build(own.model, seed)
        weights = digest_weights(module)
        seed_everything(seed)
        batches = make_batches(own.inputs, batch_sizes)
        try_on(module, batches.values(), own, own.inputs)
        calibration = make_calibration(own.calibrate) if own.calibrate is not None else []
        if own.calibrate is not None:
            try_on(module, calibration[:1], own, own.calibrate)
        examples = Examples(batches, calibration)
        examples.save(path)
        return OwnFacts(path, weights, macs_of(module, examples.batch(1)), examples.describe())
