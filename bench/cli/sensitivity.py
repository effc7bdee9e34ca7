"""``bench sensitivity``: which layers a technique hurts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    Batch,
    Budget,
    Data,
    DataChoice,
    DataRoot,
    Device,
    Engine,
    Epochs,
    Model,
    Pin,
    Precision,
    Runs,
    Seed,
    Threads,
    Timeout,
    exit_code,
    share,
    show,
)
from bench.core.errors import RequestError


def command(
    model: Model,
    technique: Annotated[
        list[str] | None,
        typer.Option(help="What is done to a layer, such as range-linear:w4; repeatable.  \\[default: dynamic-qint8]"),
    ] = None,
    recommend: Annotated[
        bool, typer.Option("--recommend", help="Find the smallest mixture of the techniques within --max-drop.")
    ] = False,
    max_drop: Annotated[
        str | None, typer.Option(help="Accuracy that may be lost, in percentage points.  \\[default: 0.5pp]")
    ] = None,
    batch: Batch = None,
    runs: Runs = 5,
    precision: Precision = "5%",
    budget: Budget = None,
    timeout: Timeout = 600.0,
    pin: Pin = "auto",
    threads: Threads = 1,
    engine: Engine = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for sensitivity.json, .md and .svg.  \\[default: runs/sensitivity]")
    ] = None,
) -> None:
    """Find out which layers a technique hurts: each quantized alone, then all but each.

    Trains the model if its weights are not there. With --recommend, searches for the smallest mixture of the techniques
    that loses no more than --max-drop, and measures it beside them.
    """
    from bench.core.files import require_writable, write_atomically
    from bench.report.sensitivity import PICTURE_FILE, render
    from bench.report.sensitivity_picture import draw
    from bench.studies.sensitivity.study import sensitivity

    allowance = _percentage_points("0.5pp" if max_drop is None else max_drop)
    if max_drop is not None and not recommend:
        raise RequestError("--max-drop is for --recommend; give that too, or leave it out.")
    folder = out or Path("runs/sensitivity")
    require_writable(folder)
    study = sensitivity(
        model,
        technique or ("dynamic-qint8",),
        max_drop_pp=allowance if recommend else None,
        batch_sizes=batch or (1, 64),
        runs=runs,
        precision=share(precision),
        budget_s=budget,
        timeout_s=timeout,
        pin=pin,
        threads=threads,
        engine=engine,
        seed=seed,
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
    )
    write_atomically(folder / "sensitivity.json", study.model_dump_json(indent=1) + "\n")
    write_atomically(folder / "sensitivity.md", render(study))
    draw(study, folder / PICTURE_FILE)
    show(render(study, picture=None))
    recommended = [study.recommendation.run] if study.recommendation else []
    raise typer.Exit(max(map(exit_code, [study.run, *recommended])))


def _percentage_points(text: str) -> float:
    """Return 0.5 for ``0.5pp``; raises ``RequestError``."""
    number, unit, rest = text.strip().partition("pp")
    try:
        if not unit or rest:
            raise ValueError(text)
        return float(number)
    except ValueError:
        raise RequestError(f"--max-drop {text!r} is not in percentage points; give 0.5pp, say.") from None
