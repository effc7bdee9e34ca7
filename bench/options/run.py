"""What ``bench run`` and ``bench.measure`` can be asked for."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.core.variant_key import EAGER
from bench.options import checks
from bench.options.group import Options, names_of, option_group
from bench.options.option import option
from bench.options.shared import (
    MEASUREMENT,
    LatencyOptions,
    MeasurementOptions,
    RetrainOptions,
    TrainingOptions,
    UserModelOptions,
    valid_seed,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    Example = Tensor | tuple[Any, ...] | dict[str, Any]


@option_group
class InstructionOptions(Options):
    """Which instruction sets are used."""

    panel = MEASUREMENT
    isa_limit: Literal["avx2"] | None = option(
        default=None, flag="--isa", unset="all that the CPU has", check=checks.one_of(("avx2",))
    )
    """Measure as if the CPU had these instruction sets alone."""


@option_group
class RunOptions(UserModelOptions, MeasurementOptions, InstructionOptions, RetrainOptions):
    """The options of ``bench run``."""

    suite: str = option(default="lab", kw_only=False, names="suite")
    """Which models: lab, quick or deploy."""
    tasks: str | Sequence[str] = option(default=(), flag="--task", names="task")
    """Only this task's models, or its first where the suite has none."""
    models: str | Sequence[str] = option(default=(), flag="--model", names="model")
    """Only this model: lab1, or mnist/lab1; or your own: net.py:build, which returns it."""
    techniques: str | Sequence[str] = option(default=(), flag="--technique", names="technique")
    """Only this technique (fp32 comes along)."""
    runtimes: str | Sequence[str] = option(
        default=(), flag="--runtime", names="runtime", unset="eager; of the suite deploy all"
    )
    """What executes the techniques, such as onnxruntime, or all (fp32 on eager comes along)."""
    out: Path | str | None = option(default=None, flag=None)
    """Folder for run.json and report.md; by default nothing is written."""
    seed: int = option(default=0, check=valid_seed)
    """Of weights, batches and round order."""


SUPPLIED_ONLY = ("suite", "tasks", *names_of(RetrainOptions))
"""The options of a run that make no sense for a model of the user's own."""
SUPPLIED_ONLY_IN_STUDIES = names_of(TrainingOptions)
"""The same of a study of one model."""


@option_group
class MeasureOptions(LatencyOptions):
    """The options of ``bench.measure``."""

    model: "nn.Module" = option(kw_only=False)
    """A trained module; it is measured in its present state, and stays as it is."""
    example_inputs: "Example | Callable[[int], Example] | Callable[[], Example]" = option(kw_only=False)
    """A tensor, a tuple, a dict of arguments by name, or (args, kwargs), batch first, whose rows are repeated to each
    batch size; or a callable that is given the batch size and returns such."""
    techniques: str | Sequence[str] = option(default=())
    """Technique to apply, by default those of the lab."""
    runtimes: str | Sequence[str] = option(default=(EAGER,), check_all=checks.not_empty)
    """What executes the techniques, such as onnxruntime, or all; fp32 on eager comes along."""
    evaluate: Callable[[Any], float | tuple[int, int]] | None = option(default=None)
    """Given something that can be called like the model, returns its accuracy: a share, or (correct, total)."""
    calibrate: "Callable[[], Iterable[Example]] | Iterable[Example] | None" = option(default=None)
    """Gives batches for the static techniques; without it they see the example inputs."""
    train: Callable[[Any], object] | None = option(default=None)
    """Given the network of a technique that takes part in a training, trains it in place."""
    name: str | None = option(default=None)
    """What tables call the model, by default its class."""
    out: Path | str | None = option(default=None, flag=None)
    """Folder for run.json and report.md; by default nothing is written."""
    seed: int = option(default=0, check=valid_seed)
    """Of batches and round order."""
