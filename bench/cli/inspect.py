"""``bench inspect``: what a technique makes of each layer's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Data, DataChoice, DataRoot, Device, Epochs, Model, Seed, show


def command(
    model: Model,
    technique: Annotated[str, typer.Option(help="A low-bit one, such as dorefa:w2a2.")],
    layer: Annotated[
        list[str] | None, typer.Option(help="Describe this layer's values and outputs; repeatable.")
    ] = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder for inspection.md and weights.svg.")] = None,
) -> None:
    """Look at what a technique makes of each layer's weights: levels, signal to noise, scores by rule.

    Trains the model if its weights are not there.
    """
    from bench.core.files import write_atomically
    from bench.report.inspection import render
    from bench.studies.inspect import inspect

    inspection = inspect(
        model,
        technique,
        layer or (),
        out=out,
        seed=seed,
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
    )
    text = render(inspection)
    if out is not None:
        write_atomically(out / "inspection.md", text + "\n")
    show(text)
