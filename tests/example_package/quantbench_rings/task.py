"""Points of the plane on three rings, to be told apart by their distance from the centre."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.tasks.dataset import Dataset, Split
from bench.tasks.source import DataFiles, Source
from bench.tasks.task import TASKS, ModelSpec, Recipe, Task

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = 3
EXAMPLES = {"train.csv": 1500, "test.csv": 600}


class RingFiles(DataFiles):
    """Two tables: label, x, y."""

    title = "Rings"
    folder = "rings"
    names = ("train.csv", "test.csv")
    url = "nowhere"

    def download(self, root: Path) -> None:
        """Real files would be fetched here; there are none."""
        raise OSError("nobody publishes them")

    def generate(self, root: Path) -> None:
        """Draw the stand-in: radii of 1, 2 and 3, with noise."""
        import numpy as np

        rng = np.random.default_rng(0)
        for name, count in EXAMPLES.items():
            labels = rng.integers(CLASSES, size=count)
            radii = labels + 1 + 0.2 * rng.standard_normal(count)
            angles = rng.uniform(0, 2 * np.pi, count)
            table = np.stack([labels, radii * np.cos(angles), radii * np.sin(angles)], axis=1)
            np.savetxt(root / self.folder / name, table, delimiter=",")


class Rings(Task):
    """Three rings, one small network."""

    name = "rings"
    title = "Rings"
    citation = "drawn for the documentation"
    files = RingFiles()
    models = (
        ModelSpec(
            name="radial",
            network="radial",
            description="tanh network 2-32-3 on points of the plane",
            recipe=Recipe(epochs=20, batch_size=50, optimizer="adam", learning_rate=0.02),
            hyperparameters={"inputs": 2, "hidden": 32, "classes": CLASSES},
        ),
    )

    def read(self, source: Source) -> Dataset:
        """Read both tables."""
        train, test = (self._split(source.root / self.files.folder / name) for name in self.files.names)
        return Dataset(train, test, source.kind, source.fingerprint, description=self.describe(source))

    @staticmethod
    def _split(path: Path) -> Split:
        import numpy as np
        import torch

        table = torch.from_numpy(np.loadtxt(path, delimiter=","))
        return Split({"points": table[:, 1:].float()}, table[:, 0].long())

    def inputs(self, spec: ModelSpec, split: Split) -> Tensor:
        """Return the points, ``(n, 2)``."""
        return split.features["points"]


TASKS.add(Rings())
