"""The options that several commands share. Annotations are read by the command, so they are evaluated here."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from bench.core.limits import MAX_BATCH_SIZE, MAX_BATCH_SIZES
from bench.options import checks
from bench.options.checks import at_least, between, one_of, within
from bench.options.group import Options, option_group
from bench.options.notations import SHARE
from bench.options.option import option
from bench.tasks.policy import DataPolicy, TrainingDevice, TrainingPrecision

DEFAULT_ENGINE = "x86 with AVX512-VNNI, else fbgemm"
"""How help says what ``bench.results.quantized_engine`` chooses on the machine that measures."""
MEASUREMENT = "Measurement"
TRAINING = "Trainings and data"
LEAST_PRECISION = math.nextafter(0.001, 0)
"""A block is not read more precisely than to some 0.1 %, so no number of processes reaches less."""
valid_seed = between(0, 2**63 - 1, example=0, limits="0 and 2⁶³ − 1")
"""What torch's generators take."""


@option_group
class DeviceOptions(Options):
    """Where models run."""

    device: str = option(default="cpu")
    """cpu or cuda."""


@option_group
class SeedOptions(Options):
    """What is random."""

    seed: int = option(default=0, check=valid_seed)
    """Of the training."""


@option_group
class DataOptions(Options):
    """Which data supplied models are trained and tested on."""

    panel = TRAINING
    data: DataPolicy = option(default="auto", check=one_of(get_args(DataPolicy)))
    """auto takes real data from the data root, else downloads, else makes a synthetic stand-in."""
    data_root: Path | str | None = option(
        default=None, unset="$QUANTBENCH_DATA, else the user's cache", check=checks.readable_folder
    )
    """Folder of the real data."""

    @property
    def root(self) -> Path | None:
        """The folder as a path."""
        return None if self.data_root is None else Path(self.data_root)


@option_group
class TrainingOptions(DataOptions):
    """How supplied models are trained; a model of the user's own has been."""

    panel = TRAINING
    epochs: int | None = option(default=None, unset="the model's recipe", check=between(1, 10_000, example=5))
    """Epochs of training."""
    training_device: TrainingDevice | None = option(
        default=None, unset="the --device", check=one_of(get_args(TrainingDevice))
    )
    """Where weights are trained: on cuda for what is then measured on the cpu, too."""

    def recipe_changes(self) -> dict[str, Any]:
        """Return what replaces fields of the model's recipe, by name."""
        return {} if self.epochs is None else {"epochs": self.epochs}


@option_group
class RetrainOptions(TrainingOptions):
    """Whether checkpoints are used, and in which precision those are trained that there are none of."""

    panel = TRAINING
    retrain: bool = option(default=False)
    """Train anew, checkpoints or not."""
    training_precision: TrainingPrecision = option(default="auto", check=one_of(get_args(TrainingPrecision)))
    """Of ResNets, low-bit networks and amp: auto is bfloat16 on a GPU or a CPU that computes in it, else float32."""


@option_group
class UserModelOptions(Options):
    """What belongs to a model of the user's own; in Python the callables themselves, or what they return."""

    panel = "A model of your own"
    inputs: str | Any | None = option(default=None)
    """For your own model: net.py:inputs, given a batch size, returns a batch of inputs."""
    evaluate: str | Any | None = option(default=None)
    """For your own model: net.py:accuracy, given the model, returns a share or (correct, total)."""
    calibrate: str | Any | None = option(default=None)
    """For your own model: net.py:batches yields batches that ranges are observed on."""
    train: str | Any | None = option(default=None)
    """For your own model: net.py:train, given the network of a technique that takes part in a training, trains it."""

    @property
    def parts(self) -> dict[str, Any]:
        """All four, by name."""
        return {name: getattr(self, name) for name in ("inputs", "evaluate", "calibrate", "train")}


@option_group
class SpreadOptions(Options):
    """Where trainings are carried out."""

    fleet: str | None = option(default=None, unset="this machine alone")
    """Spread the trainings over the cores of a Ray cluster: auto, or its HOST:PORT."""


@option_group
class LatencyOptions(DeviceOptions, SeedOptions):
    """How latencies are measured. Whether the machine has the cores and the engine is found out there."""

    panel = MEASUREMENT
    batch_sizes: int | Sequence[int] = option(
        default=(1, 64),
        flag="--batch",
        panel="",
        check=between(1, MAX_BATCH_SIZE, example=64),
        check_all=checks.once_to(MAX_BATCH_SIZES),
    )
    """Batch size to time."""
    runs: int = option(default=5, check=at_least(1, example=5))
    """Runs behind each mean ± std."""
    precision: float | None = option(
        default=None,
        unset="5%, and 10% with several threads",
        notation=SHARE,
        panel="",
        check=within(LEAST_PRECISION, 1, "0.1% or more and below 100%; for example 2%"),
    )
    """Measure until each speed-up is known to ± this share, 2% or 0.02, or time is over."""
    budget_s: float | None = option(
        default=None,
        flag="--budget",
        unset="12 processes of each variant, 24 with several threads, up to four times as many for the precision",
        check=checks.seconds(example=10),
    )
    """Seconds for one model's passes; an interval takes eight of them."""
    spread_s: float | None = option(
        default=None, flag="--spread", unset="60, and 0 for the suite quick", check=between(0, 3600, example=60)
    )
    """Seconds over which one model's passes are spread at least, with rests between them."""
    timeout_s: float = option(default=600.0, flag="--timeout", check=checks.seconds(example=600))
    """Seconds of silence after which a variant counts as hung."""
    pin: str = option(default="auto")
    """Cores to tie models to while they are timed: auto, none, or numbers like 2,3."""
    threads: int = option(default=1, panel="", check=checks.at_least(1, example=2))
    """Threads of the model while it is measured."""
    engine: str | None = option(default=None, unset=DEFAULT_ENGINE)
    """Quantized engine of the int8 techniques."""


@option_group
class MeasurementOptions(LatencyOptions, TrainingOptions):
    """What the settings of a run are made of."""
