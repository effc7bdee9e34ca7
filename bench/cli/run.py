"""``bench run``: a suite, or models of the user's own, measured."""

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
    Pin,
    Precision,
    Retrain,
    Runs,
    Threads,
    Timeout,
    TrainingPrecision,
    TrainingPrecisionChoice,
    exit_code,
    share,
    show,
)


def command(
    suite: Annotated[str, typer.Option(help="Which models: lab or quick.")] = "lab",
    task: Annotated[list[str] | None, typer.Option(help="Only this task's models; repeatable.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this model: lab1, or mnist/lab1; or your own: net.py:build, which returns it; repeatable."
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="For your own model: net.py:inputs, given a batch size, returns a batch of inputs."),
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(help="For your own model: net.py:accuracy, given the model, returns a share or (correct, total)."),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(help="For your own model: net.py:batches yields batches that ranges are observed on."),
    ] = None,
    technique: Annotated[
        list[str] | None, typer.Option(help="Only this technique (fp32 comes along); repeatable.")
    ] = None,
    batch: Batch = None,
    runs: Runs = 5,
    precision: Precision = "5%",
    budget: Budget = None,
    timeout: Timeout = 600.0,
    pin: Pin = "auto",
    threads: Threads = 1,
    engine: Engine = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for run.json and report.md.  \\[default: runs/SUITE]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batches and round order.")] = 0,
    epochs: Epochs = None,
    retrain: Retrain = False,
    training_precision: TrainingPrecision = TrainingPrecisionChoice.auto,
) -> None:
    """Train or reload the models, apply every technique, measure, and write run.json and report.md.

    The same command goes on where an interrupted one stopped.
    """
    from bench.running.runner import run
    from bench.worker.user.model import SUITE, is_own

    folder = out or Path("runs") / (SUITE if any(map(is_own, model or ())) else suite)
    done = run(
        suite,
        tasks=task or (),
        models=model or (),
        inputs=inputs,
        evaluate=evaluate,
        calibrate=calibrate,
        techniques=technique or (),
        batch_sizes=batch or (1, 64),
        runs=runs,
        precision=share(precision),
        budget_s=budget,
        timeout_s=timeout,
        pin=pin,
        threads=threads,
        engine=engine,
        device=device,
        data=data.value,
        data_root=data_root,
        out=folder,
        seed=seed,
        epochs=epochs,
        retrain=retrain,
        training_precision=training_precision.value,
    )
    from bench.report.markdown import lab_tables

    show(lab_tables(done))
    show(f"\n{folder / 'report.md'} has the whole report, {folder / 'run.json'} every sample.")
    raise typer.Exit(exit_code(done))
