"""``bench export``: the smallest file of a variant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Data, DataChoice, DataRoot, Device, Epochs, Model, Seed, show


def command(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write.")],
    technique: Annotated[str, typer.Option(help="Such as bwn or range-linear:w4,per-channel.")] = "fp32",
    seed: Seed = 0,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
) -> None:
    """Write the smallest file of a model after a technique, which bench.load_packed(FILE) reads.

    Trains the model if its weights are not there. The file is written once another process has rebuilt the model from
    it, to the same logits.
    """
    from bench.core.units import kilobytes
    from bench.studies.export import export

    facts = export(model, out, technique, seed=seed, epochs=epochs, device=device, data=data.value, data_root=data_root)
    stored = ", ".join(f"{dtype} {count:,}" for dtype, count in facts.bytes_by_dtype.items())
    show(f"{out}: {kilobytes(facts.packed_bytes or 0)} kB ({stored} bytes), reloaded to the same logits.")
