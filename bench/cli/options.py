"""What several commands share: options, how their values are read, how text is shown."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.core.errors import RequestError

if TYPE_CHECKING:
    from bench.results.run import Run


class DataChoice(enum.StrEnum):
    """Values of ``--data``."""

    auto = "auto"
    real = "real"
    synthetic = "synthetic"


class TrainingPrecisionChoice(enum.StrEnum):
    """Values of ``--training-precision``."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


Model = Annotated[str, typer.Argument(help="Such as cifar10/resnet8.", metavar="TASK/MODEL")]
Batch = Annotated[list[int] | None, typer.Option(help="Batch size to time; repeatable.  \\[default: 1, 64]")]
Runs = Annotated[int, typer.Option(help="Runs behind each mean ± std.")]
Precision = Annotated[
    str, typer.Option(help="Measure until each speed-up is known to ± this share, 2% or 0.02, or time is over.")
]
Budget = Annotated[
    float | None,
    typer.Option(
        help="Seconds for one model's latencies.  \\[default: eight rounds, and a moment more for the precision]"
    ),
]
Timeout = Annotated[float, typer.Option(help="Seconds of silence after which a variant counts as hung.")]
Pin = Annotated[str, typer.Option(help="Cores to tie models to while they are timed: auto, none, or numbers like 2,3.")]
Threads = Annotated[int, typer.Option(help="Threads of the model while it is measured.")]
Engine = Annotated[str | None, typer.Option(help="Quantized engine of the int8 techniques.  \\[default: fbgemm]")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Data = Annotated[
    DataChoice,
    typer.Option(help="auto takes real data from the data root, else downloads, else makes a synthetic stand-in."),
]
DataRoot = Annotated[
    Path | None, typer.Option(help="Folder of the real data.  \\[default: $QUANTBENCH_DATA, else the user's cache]")
]
Seed = Annotated[int, typer.Option(help="Of the training.")]
Epochs = Annotated[int | None, typer.Option(help="Epochs of training.  \\[default: the model's recipe]")]
Retrain = Annotated[bool, typer.Option("--retrain", help="Train anew, checkpoints or not.")]
TrainingPrecision = Annotated[
    TrainingPrecisionChoice,
    typer.Option(help="Of ResNets, low-bit networks and amp: auto is bfloat16 where the CPU computes in it."),
]


def share(text: str) -> float:
    """Return 0.02 for ``2%`` or ``0.02``; raises ``RequestError``."""
    number, percent, rest = text.strip().partition("%")
    try:
        if rest:
            raise ValueError(rest)
        return float(number) / (100 if percent else 1)
    except ValueError:
        raise RequestError(f"--precision {text!r} is not a share; give 2% or 0.02, say.") from None


def show(text: str) -> None:
    """Print to standard output, with one line end."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def exit_code(run: Run) -> int:
    """Return 1 if a row failed."""
    return 1 if any(row.status == "failed" for row in run.rows) else 0
