"""``bench train``: weights beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    Data,
    DataChoice,
    DataRoot,
    Device,
    Epochs,
    Model,
    Retrain,
    TrainingPrecision,
    TrainingPrecisionChoice,
    show,
)


def command(
    model: Model,
    technique: Annotated[
        list[str] | None, typer.Option(help="What takes part, such as dorefa:w2a2; repeatable.  \\[default: fp32]")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.  \\[default: 0]")] = None,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder for training.json.  \\[default: the terminal alone]")] = None,
    retrain: Retrain = False,
    training_precision: TrainingPrecision = TrainingPrecisionChoice.auto,
) -> None:
    """Train a model for some techniques, side by side, and say what accuracy each reached.

    The weights are kept: 'bench run' with the same --epochs finds them. The same command goes on where an interrupted
    one stopped. A training that fails has a line that says why, and the exit code is 1.
    """
    from bench.core.files import require_writable, write_atomically
    from bench.studies.train import render, train

    if out is not None:
        require_writable(out)
    trained = train(
        model,
        technique or ("fp32",),
        seeds=seed or (0,),
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
        retrain=retrain,
        training_precision=training_precision.value,
    )
    if out is not None:
        content = ",\n".join(each.model_dump_json(indent=1) for each in trained)
        write_atomically(out / "training.json", f"[{content}]\n")
    show(render(trained))
    raise typer.Exit(1 if any(each.reason for each in trained) else 0)
