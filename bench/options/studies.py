"""What the commands that look at one model can be asked for. Annotations are evaluated here; see ``shared``."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from bench.core.errors import RequestError
from bench.core.limits import MAX_BATCH_SIZE, MAX_BATCH_SIZES
from bench.core.variant_key import BASELINE, EAGER
from bench.options import checks
from bench.options.checks import between, one_of, up_to, within
from bench.options.group import Options, option_group
from bench.options.notations import BYTES, PERCENTAGE_POINTS, SECONDS, WIDTHS
from bench.options.option import option
from bench.options.shared import (
    DEFAULT_ENGINE,
    DeviceOptions,
    MeasurementOptions,
    RetrainOptions,
    SeedOptions,
    SpreadOptions,
    TrainingOptions,
    UserModelOptions,
    valid_seed,
)
from bench.tasks.policy import Optimizer, Schedule, TrainingPrecision

if TYPE_CHECKING:
    from bench.results.run import Run
    from bench.results.selfcheck import Plan

    RunOrFile = Run | Path | str
else:
    RunOrFile = Path | str  # what the command can be given; pydantic is not imported for the type

DEFAULT_MAX_DROP_PP = 0.5
"""What a recommended mixture may lose where nobody says."""
TaughtBy = Literal["start", "loss", "both"]
"""What a student takes from its teacher: the weights it starts from, a part of its loss, or both."""


@option_group
class ModelOptions(DeviceOptions, TrainingOptions):
    """The model of a command that takes one."""

    model: str | Any = option(kw_only=False, flag="TASK/MODEL", also="--model", names="model")
    """Such as cifar10/resnet8; or net.py:build, which returns a model of your own."""

    @property
    def trained_on(self) -> str:
        """The device that weights are trained on."""
        return self.training_device or self.device


_REPLACED = ("learning_rate", "weight_decay", "schedule", "optimizer", "batch_size")
"""Fields of a recipe that an option of the same name replaces."""


def _weight_decay(weight_decay: float) -> str | None:
    return None if 0 <= weight_decay < 1 else "must be 0 or more, and below 1; for example 1e-4"


@option_group
class TrainOptions(ModelOptions, RetrainOptions, SpreadOptions):
    """The options of ``bench train``."""

    panel = "Recipe"
    techniques: str | Sequence[str] = option(
        default=(BASELINE.technique,), kw_only=False, flag="--technique", panel="", names="technique"
    )
    """What takes part, such as dorefa:w2a2."""
    seeds: int | Sequence[int] = option(default=(0,), flag="--seed", panel="", check=valid_seed)
    """Of the training."""
    recipe: str | None = option(default=None, names="recipe", unset="the model's recipe")
    """long, signs, warm-4bit, warm-2bit or warm-1bit."""
    learning_rate: float | None = option(
        default=None, unset="the recipe's", check=within(0, math.inf, "a number above 0; for example 0.05")
    )
    """The peak."""
    weight_decay: float | None = option(default=None, unset="the recipe's", check=_weight_decay)
    """Of the optimizer."""
    schedule: Schedule | None = option(default=None, unset="the recipe's", check=one_of(get_args(Schedule)))
    """Of the learning rate."""
    optimizer: Optimizer | None = option(default=None, unset="the recipe's", check=one_of(get_args(Optimizer)))
    """With a --learning-rate."""
    batch_size: int | None = option(default=None, unset="the recipe's", check=between(1, 65536, example=128))
    """Examples a step."""
    reestimate: bool = option(default=False)
    """Take BatchNorm's statistics anew once the weights are final, as binary weights need."""
    compiled: bool = option(default=False, flag="--compile")
    """Make the step one program: by torch's compiler, which needs one for C++; on a GPU as a CUDA graph."""
    start: Path | str | None = option(default=None, unset="random weights")
    """A checkpoint of the same network and data to start from."""
    teacher_weight: float = option(default=0.0, check=between(0, 1, example=0.5))
    """λ: the part of the loss that compares answers with those of the --start, which is the teacher then."""
    temperature: float = option(default=1.0, check=up_to(100, example=2))
    """τ of the teacher's softmax, with a --teacher-weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer is not None and self.learning_rate is None:
            # A rate for SGD, which the model's recipe may have, is too high for Adam.
            raise RequestError(f"--optimizer {self.optimizer} must have a --learning-rate with it; for example 0.001.")
        if self.teacher_weight and self.start is None:
            raise RequestError("--teacher-weight must have a --start with it, the checkpoint that teaches.")
        if self.temperature != 1 and not self.teacher_weight:
            raise RequestError("--temperature must have a --teacher-weight with it; for example 0.5.")
        self.recipe_changes()  # an unknown recipe is refused before data are loaded

    def recipe_changes(self) -> dict[str, Any]:
        """Return what replaces fields of the model's recipe: the named recipe's, and before these what is given.

        Raises ``UnknownNameError`` for an unknown recipe.
        """
        changes = super().recipe_changes()
        if self.recipe is not None:
            from bench.tasks.recipes import RECIPES

            changes |= RECIPES.get(self.recipe).changes()
        given = {name: getattr(self, name) for name in _REPLACED}
        changes |= {name: value for name, value in given.items() if value is not None}
        return changes | {name: True for name in ("reestimate", "compiled") if getattr(self, name)}


@option_group
class ExportOptions(ModelOptions, UserModelOptions, SeedOptions):
    """The options of ``bench export``."""

    model: str = option(kw_only=False, flag="MODEL", names="model")
    """Such as cifar10/resnet8; or your own: net.py:build, which returns it."""
    path: Path | str = option(kw_only=False, flag="--out")
    """File to write; with --runtime a folder."""
    technique: str = option(default=BASELINE.technique, kw_only=False, names="technique")
    """Such as static-qint8, bwn or range-linear:w4,per-channel."""
    runtime: str | None = option(default=None, names="runtime", unset="a packed file, for bench.load_packed")
    """Write what this runtime loads, such as onnxruntime, and a program that runs it without quantbench."""
    batch_sizes: int | Sequence[int] = option(
        default=(1, 64),
        flag="--batch",
        check=between(1, MAX_BATCH_SIZE, example=64),
        check_all=checks.once_to(MAX_BATCH_SIZES),
    )
    """Of example inputs of your own model; without --calibrate the largest is what ranges are observed on."""
    threads: int = option(default=1, check=checks.at_least(1, example=2))
    """Threads that it will run with."""
    engine: str | None = option(default=None, unset=DEFAULT_ENGINE)
    """Quantized engine of the int8 techniques on eager."""
    training_precision: TrainingPrecision = option(default="auto", check=one_of(get_args(TrainingPrecision)))
    """Of ResNets, low-bit networks and amp, if they are to be trained; as of bench run."""


@option_group
class InspectOptions(ModelOptions, UserModelOptions, SeedOptions):
    """The options of ``bench inspect``."""

    technique: str = option(kw_only=False, names="technique")
    """A low-bit one, such as dorefa:w2a2."""
    layers: Sequence[str] = option(default=(), kw_only=False, flag="--layer")
    """Describe this layer's values, outputs and quantized inputs."""
    out: Path | str | None = option(default=None)
    """Folder for inspection.md and weights.svg."""


def _some_bytes(size: int) -> str | None:
    return None if size > 0 else "must be more than nothing; for example 1MB"


def _allowance(max_drop_pp: float) -> str | None:
    return None if 0 <= max_drop_pp < 100 else "must be 0pp or more, and below 100pp; for example 0.5pp"


@option_group
class SensitivityOptions(ModelOptions, UserModelOptions, MeasurementOptions):
    """The options of ``bench sensitivity``."""

    technique: str | Sequence[str] = option(
        default="dynamic-qint8", kw_only=False, names="technique", check_all=checks.not_empty
    )
    """What is done to a layer, such as range-linear:w4."""
    runtime: str = option(default=EAGER, names="runtime")
    """What executes the variants, such as onnxruntime."""
    max_drop_pp: float | None = option(
        default=None,
        flag="--max-drop",
        notation=PERCENTAGE_POINTS,
        unset=f"{PERCENTAGE_POINTS.write(DEFAULT_MAX_DROP_PP)} with --recommend",
        check=_allowance,
    )
    """Accuracy that a recommended mixture may lose, in percentage points."""
    by: Literal["layer", "block", "stage"] = option(default="layer", check=one_of(("layer", "block", "stage")))
    """What is quantized alone: a layer, a block of several, or a stage of blocks."""


@option_group
class RecommendOptions(Options):
    """The options of ``bench recommend``."""

    run: RunOrFile = option(kw_only=False, flag="RUN.json")
    """A run.json, or the folder that has one."""
    models: str | Sequence[str] = option(default=(), flag="--model", names="model")
    """Only this model: lab1, or mnist/lab1."""
    objective: Literal["latency", "size", "memory"] = option(
        default="latency", check=one_of(("latency", "size", "memory"))
    )
    """What the best is best in: latency, size of the file, or peak memory."""
    max_drop_pp: float | None = option(
        default=None,
        flag="--max-drop",
        notation=PERCENTAGE_POINTS,
        unset="0.5pp, or more where the test set is too small to show that",
        check=_allowance,
    )
    """Accuracy that may be lost, in percentage points; it must be shown that no more is."""
    max_size_bytes: int | None = option(default=None, flag="--max-size", notation=BYTES, unset="any", check=_some_bytes)
    """Of the file: 1MB is 1,000,000 bytes."""
    max_latency_s: float | None = option(
        default=None, flag="--max-latency", notation=SECONDS, unset="any", check=checks.seconds(example=0.001)
    )
    """Of one call, such as 200us; the 99 % interval must lie below."""
    batch_size: int | None = option(
        default=None, flag="--batch", unset="1", check=between(1, MAX_BATCH_SIZE, example=1)
    )
    """Of the latencies."""


def _descending(chain: Sequence[int]) -> str | None:
    written = WIDTHS.write(chain)
    if len(chain) < 2 or len(set(chain)) < len(chain):
        return f"{written} must have at least two widths, all different; for example 32,8,1"
    if list(chain) != sorted(chain, reverse=True):
        return f"{written} must go from wide to narrow; for example 32,8,1"
    return None


def _activations(bits: str) -> str | None:
    known = bits in ("same", "full") or str(bits).isdecimal()  # Python may give a number
    return None if known else "must be same, full or a number of bits; for example 8"


@option_group
class DistillOptions(ModelOptions, SpreadOptions):
    """The options of ``bench distill``."""

    family: str = option(default="dorefa")
    """dorefa, pact or wrpn."""
    chain: Sequence[int] = option(default=(32, 16, 8, 4, 2, 1), notation=WIDTHS, check_all=_descending)
    """Bit widths from the first teacher to the last student."""
    activations: str = option(default="same", check=_activations)
    """same: as many bits as weights; full: float32; or a number of bits at every width, such as 8."""
    sources: TaughtBy | Sequence[TaughtBy] = option(
        default=get_args(TaughtBy), flag="--source", check=one_of(get_args(TaughtBy)), check_all=checks.not_empty
    )
    """What students take from their teacher."""
    weight: float = option(default=0.5, check=up_to(1, example=0.5))
    """λ: the teacher's part in the loss."""
    temperature: float = option(default=1.0, check=up_to(100, example=2))
    """τ of the softmax."""
    teacher: Path | str | None = option(default=None, unset="none")
    """A checkpoint of the same data that teaches the widest."""
    seeds: int | Sequence[int] = option(
        default=(0, 1, 2), flag="--seed", check=valid_seed, check_all=checks.all_different
    )
    """Of the trainings."""


@option_group
class SelfCheckOptions(Options):
    """The options of ``bench selfcheck``."""

    threads: int = option(default=1, kw_only=False)
    """Threads of the models."""
    pin: str = option(default="auto", kw_only=False)
    """Cores to tie models to while they are timed: auto, none, or numbers like 2,3."""
    plan: "Plan | None" = option(default=None, kw_only=False, flag=None)
    """How often and how long, by default some two minutes in all."""
