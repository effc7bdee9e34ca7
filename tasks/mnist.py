"""MNIST: handwritten digits, 28×28 grey (LeCun et al. 1998)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.tasks.dataset import Dataset, Split
from bench.tasks.source import DataFiles, Source
from bench.tasks.task import TASKS, ModelSpec, Recipe, Task

if TYPE_CHECKING:
    from torch import Tensor


class MnistFiles(DataFiles):
    """The four idx files, unpacked, as torchvision lays them out."""

    title = "MNIST"
    folder = "MNIST/raw"
    checksums = {
        "train-images-idx3-ubyte": "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }
    names = tuple(checksums)
    url = "torchvision's mirrors of MNIST"

    def download(self, root: Path) -> None:
        """Fetch with torchvision, which checks the md5 of each archive."""
        import torchvision

        torchvision.datasets.MNIST(root, download=True)

    def generate(self, root: Path) -> None:
        """Draw digits from a 5×7 font, turned, shifted and noisy."""
        from bench.tasks.standin import digits

        digits.write(root / self.folder)


class Mnist(Task):
    """Digits for multilayer perceptrons: pixels in 0…1, cropped in the centre where a model asks for it."""

    name = "mnist"
    title = "MNIST"
    citation = "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998"
    files = MnistFiles()
    models = (
        ModelSpec(
            name="lab1",
            network="mlp",
            description="MLP 784-512-10 on 28×28 pixels",
            recipe=Recipe(epochs=2, batch_size=100, optimizer="adam", learning_rate=0.001),
            hyperparameters={"inputs": 28 * 28, "hidden": [512], "classes": 10},
        ),
        ModelSpec(
            name="lab2",
            network="mlp",
            description="MLP 400-1024-1024-10 on the central 20×20 pixels",
            recipe=Recipe(epochs=2, batch_size=64, optimizer="adam", learning_rate=0.001),
            hyperparameters={"inputs": 20 * 20, "hidden": [1024, 1024], "classes": 10},
        ),
        ModelSpec(
            name="mlp3x1024",
            network="mlp",
            description="MLP 784-1024-1024-1024-10 with BatchNorm, BinaryConnect's",
            recipe=Recipe(epochs=30, batch_size=200, optimizer="adam", learning_rate=0.003, schedule="one-cycle"),
            hyperparameters={"inputs": 28 * 28, "hidden": [1024, 1024, 1024], "classes": 10, "batch_norm": 1},
        ),
    )

    def read(self, source: Source) -> Dataset:
        """Read the idx files through torchvision."""
        train, test = (self._split(source.root, train) for train in (True, False))
        return Dataset(train, test, source.kind, source.fingerprint, description=self.describe(source))

    @staticmethod
    def _split(root: Path, train: bool) -> Split:
        import torchvision  # takes seconds, and only reading needs it

        data = torchvision.datasets.MNIST(root, train=train)
        return Split({"images": data.data.unsqueeze(1)}, data.targets)

    def inputs(self, spec: ModelSpec, split: Split) -> Tensor:
        """Return ``(n, side²)`` with pixels in 0…1; the model's inputs decide the side of the centre crop."""
        images = split.features["images"]
        inputs = spec.hyperparameters["inputs"]
        assert isinstance(inputs, int)  # noqa: S101 — for the type checker
        side = int(inputs**0.5)
        margin = (images.shape[-1] - side) // 2
        crop = images[:, 0, margin : margin + side, margin : margin + side]
        return crop.flatten(1).float() / 255


TASKS.add(Mnist())
