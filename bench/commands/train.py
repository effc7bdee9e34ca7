"""``bench train``: weights beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import Data, DataChoice, DataRoot, Device, Epochs, Model, Retrain, show


def command(
    model: Model,
    technique: Annotated[
        list[str] | None, typer.Option(help="What takes part, such as dorefa:w2a2; repeatable.  \\[default: fp32]")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.  \\[default: 0]")] = None,
    epochs: Epochs = None,
    recipe: Annotated[
        str | None, typer.Option(help="warm-4bit, warm-2bit or warm-1bit.  \\[default: the model's recipe]")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The peak.  \\[default: the recipe's]")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="\\[default: the recipe's]")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="constant, one-cycle, cosine or steps.  \\[default: the recipe's]")
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="sgd or adam, with a --learning-rate.  \\[default: the recipe's]")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="A checkpoint of the same network and data to start from.  \\[default: random weights]"),
    ] = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder for training.json.  \\[default: the terminal alone]")] = None,
    retrain: Retrain = False,
) -> None:
    """Train a model for some techniques, side by side, and say what accuracy each reached.

    The weights are kept: 'bench run' with the same --epochs finds them. The same command goes on where an interrupted
    one stopped. A training that fails has a line that says why, and the exit code is 1.
    """
    from bench.files import require_writable, write_atomically
    from bench.trainer import render, train

    if out is not None:
        require_writable(out)
    trained = train(
        model,
        technique or ("fp32",),
        seeds=seed or (0,),
        epochs=epochs,
        recipe=recipe,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,  # type: ignore[arg-type]  # checked by ``train``
        optimizer=optimizer,  # type: ignore[arg-type]
        start=start,
        device=device,
        data=data.value,
        data_root=data_root,
        retrain=retrain,
    )
    if out is not None:
        content = ",\n".join(each.model_dump_json(indent=1) for each in trained)
        write_atomically(out / "training.json", f"[{content}]\n")
    show(render(trained))
    raise typer.Exit(1 if any(each.reason for each in trained) else 0)
