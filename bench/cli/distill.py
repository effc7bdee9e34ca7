"""``bench distill``: one model at falling bit widths."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Data, DataChoice, DataRoot, Device, Epochs, Model, show
from bench.core.errors import RequestError


class ActivationChoice(enum.StrEnum):
    """Values of ``--activations``."""

    same = "same"
    full = "full"


class SourceChoice(enum.StrEnum):
    """Values of ``--source``."""

    start = "start"
    loss = "loss"
    both = "both"


def command(
    model: Model,
    family: Annotated[str, typer.Option(help="dorefa, pact or wrpn.")] = "dorefa",
    chain: Annotated[
        str, typer.Option(help="Bit widths from the first teacher to the last student.")
    ] = "32,16,8,4,2,1",
    activations: Annotated[
        ActivationChoice, typer.Option(help="same: as many bits as weights; full: float32.")
    ] = ActivationChoice.same,
    source: Annotated[
        list[SourceChoice] | None,
        typer.Option(help="What students take from their teacher; repeatable.  \\[default: start, loss, both]"),
    ] = None,
    weight: Annotated[float, typer.Option(help="λ: the teacher's part in the loss.")] = 0.5,
    temperature: Annotated[float, typer.Option(help="τ of the softmax.")] = 1.0,
    teacher: Annotated[
        Path | None, typer.Option(help="A checkpoint of the same data that teaches the widest.  \\[default: none]")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.  \\[default: 0, 1, 2]")] = None,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for distillation.json and .md.  \\[default: runs/distill]")
    ] = None,
) -> None:
    """Train a model at falling bit widths: alone, taught by the widest, and taught along the chain.

    The same command goes on where an interrupted one stopped. What fails is told below the table, and the exit code
    is 1.
    """
    from bench.core.files import require_writable, write_atomically
    from bench.report.distillation import render
    from bench.studies.distill import distill

    folder = out or Path("runs/distill")
    require_writable(folder)
    done = distill(
        model,
        family=family,
        chain=_widths(chain),
        activations=activations.value,
        sources=[choice.value for choice in source] if source else ("start", "loss", "both"),
        weight=weight,
        temperature=temperature,
        teacher=teacher,
        seeds=seed or (0, 1, 2),
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
    )
    write_atomically(folder / "distillation.json", done.model_dump_json(indent=1) + "\n")
    write_atomically(folder / "distillation.md", render(done) + "\n")
    show(render(done))
    raise typer.Exit(1 if any(student.reason for student in done.students) else 0)


def _widths(text: str) -> list[int]:
    """Read a chain of bit widths."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"--chain {text!r} is not a list of bit widths; give numbers like 32,8,1.") from None
