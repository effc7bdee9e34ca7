"""CIFAR-10 and CIFAR-100: 32×32 colour images of 10 or 100 classes (Krizhevsky 2009)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.tasks.dataset import Dataset, Split
from bench.tasks.source import DataFiles, Source, read_manifest
from bench.tasks.task import TASKS, ModelSpec, Recipe, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)
"""Per channel, of pixels in 0…1; the figures that the field uses for CIFAR."""
PADDING = 4
EPOCHS = {8: 20, 14: 12, 20: 9, 26: 7}
"""By depth: about nine minutes of one core each; a short training, not the nets' best.

The learning rate (0.8) and weight decay (1e-4) were chosen by ResNet-8's accuracy on 5,000 held-out training images, in
``tests/benchmarks/cifar_recipe.py``; measured again, on a GPU, half that rate is as good within a standard error.
"""


def resnets(classes: int, epochs: dict[int, int]) -> tuple[ModelSpec, ...]:
    """Return the pre-activation ResNets of 8, 14, 20 and 26 layers."""
    return tuple(
        ModelSpec(
            name=f"resnet{depth}",
            network="preact_resnet",
            description=f"pre-activation ResNet-{depth}, widths 16/32/64",
            recipe=Recipe(
                epochs=epochs[depth],
                batch_size=128,
                optimizer="sgd",
                learning_rate=0.8,
                schedule="one-cycle",
                momentum=0.9,
                weight_decay=1e-4,
                augment=True,
            ),
            hyperparameters={"depth": depth, "classes": classes},
            precision="bfloat16",
            channels_last=True,
        )
        for depth in epochs
    )


class CifarFiles(DataFiles):
    """The pickled batches of one CIFAR, with torchvision's md5 sums."""

    def __init__(self, title: str, reader: str, classes: int) -> None:
        self.title = title
        self.classes = classes
        self._reader_name = reader

    @cached_property
    def reader(self) -> Any:
        """Torchvision's class; imported when data are read, because that import takes seconds."""
        import torchvision

        return getattr(torchvision.datasets, self._reader_name)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Each file's md5 as torchvision publishes it."""
        meta = self.reader.meta
        parts = [*self.reader.train_list, *self.reader.test_list, (meta["filename"], meta["md5"])]
        return {name: f"md5:{md5}" for name, md5 in parts}

    @property
    def folder(self) -> str:
        """As in the published archive."""
        return str(self.reader.base_folder)

    @property
    def names(self) -> tuple[str, ...]:
        """The batches and the file of class names."""
        return tuple(self.checksums)

    @property
    def url(self) -> str:
        """The published archive."""
        return str(self.reader.url)

    def download(self, root: Path) -> None:
        """Fetch with torchvision, which checks the md5 of the archive and of each batch."""
        self.reader(root, download=True)

    def generate(self, root: Path) -> None:
        """Draw coloured shapes and pickle them as CIFAR does."""
        from bench.tasks.standin import shapes

        shapes.write(root / self.folder, self.reader, self.classes)

    def read(self, source: Source, train: bool) -> Split:
        """Unpickle, through torchvision, batches whose checksums are known."""
        import torch

        reader = self.reader if source.kind == "real" else self._standin_reader(source)
        data = reader(source.root, train=train)
        images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
        return Split({"images": images}, torch.tensor(data.targets))

    def _standin_reader(self, source: Source) -> Any:
        """Return torchvision's class with the checksums that were written beside the stand-in."""
        known = {name: checksum.partition(":")[2] for name, checksum in read_manifest(source.root, self.folder).items()}
        return type(
            f"StandIn{self.reader.__name__}",
            (self.reader,),
            {
                "train_list": [(name, known[name]) for name, _ in self.reader.train_list],
                "test_list": [(name, known[name]) for name, _ in self.reader.test_list],
                "meta": {**self.reader.meta, "md5": known[self.reader.meta["filename"]]},
            },
        )


class Cifar(Task):
    """Images for convolutional networks: normalized per channel; crop and flip while training."""

    citation = "Krizhevsky: Learning multiple layers of features from tiny images, 2009"

    def __init__(self, name: str, files: CifarFiles, models: tuple[ModelSpec, ...]) -> None:
        self.name = name
        self.title = files.title
        self.files: CifarFiles = files
        self.models = models

    def read(self, source: Source) -> Dataset:
        """Read the training and the test batches."""
        train, test = self.files.read(source, train=True), self.files.read(source, train=False)
        return Dataset(train, test, source.kind, source.fingerprint, description=self.describe(source))

    def inputs(self, spec: ModelSpec, split: Split) -> Tensor:
        """Return normalized images, ``(n, 3, 32, 32)``."""
        import torch

        images = split.features["images"]
        mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
        return spec.arrange(images.float()).div_(255).sub_(mean).div_(std)

    def augment(self, split: Split, generator: Generator) -> Split:
        """Crop each image at random from itself padded by 4 black pixels, and flip every second one."""
        import torch

        images = split.features["images"]
        batch, channels, side, _ = images.shape
        device = images.device
        padded = torch.nn.functional.pad(images, (PADDING,) * 4)
        top, left = torch.randint(0, 2 * PADDING + 1, (2, batch, 1), generator=generator, device=device)
        flip = torch.randint(0, 2, (batch, 1), generator=generator, device=device)
        steps = torch.arange(side, device=device)
        rows = top + steps
        columns = left + torch.where(flip == 1, steps.flip(0), steps)
        picked = padded[
            torch.arange(batch, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[None, :, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]
        return Split({"images": picked}, split.labels)


CIFAR10_FILES = CifarFiles("CIFAR-10", "CIFAR10", classes=10)
CIFAR100_FILES = CifarFiles("CIFAR-100", "CIFAR100", classes=100)

TASKS.add(Cifar("cifar10", CIFAR10_FILES, resnets(classes=10, epochs=EPOCHS)))
TASKS.add(Cifar("cifar100", CIFAR100_FILES, resnets(classes=100, epochs=EPOCHS)))
