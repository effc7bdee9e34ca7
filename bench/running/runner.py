"""``bench.run``: a request, planned and carried out on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.results.run import Run
from bench.running.execute import Place, execute
from bench.running.plan import plan
from bench.running.settings import (
    DEFAULT_BATCH_SIZES,
    DEFAULT_PRECISION,
    DEFAULT_RUNS,
    DEFAULT_TIMEOUT_S,
    check_data,
    several,
)
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.source import DataPolicy
from bench.worker.user.model import UserModel, user_models


def run(
    suite: str = "lab",
    *,
    tasks: str | Sequence[str] = (),
    models: str | Sequence[str | UserModel] = (),
    inputs: str | None = None,
    evaluate: str | None = None,
    calibrate: str | None = None,
    techniques: str | Sequence[str] = (),
    batch_sizes: int | Sequence[int] = DEFAULT_BATCH_SIZES,
    runs: int = DEFAULT_RUNS,
    precision: float = DEFAULT_PRECISION,
    budget_s: float | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    threads: int = 1,
    pin: str = "auto",
    engine: str | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    retrain: bool = False,
    progress: bool | None = None,
) -> Run:
    """Train or reload the models, apply the techniques, measure, and return all rows.

    With ``out`` a folder, ``run.json`` there grows by each model's rows and ``report.md`` is written at the
    end; an unfinished run of the same settings goes on where it stopped. Rounds are made until every speed-up is
    known to ±``precision`` (a share) or a model's latencies have taken ``budget_s`` seconds. ``progress`` shows bars
    (by default on a terminal only); ``epochs`` takes the place of every recipe's. Models of your own, such as
    ``net.py:build``, are measured as they are: ``inputs``, ``evaluate`` and ``calibrate`` name callables too
    (docs/own-models.md). Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    tasks, models, techniques = several(tasks), several(models), several(techniques)
    root = check_data(data, data_root)
    supplied_only = {
        "--suite": suite != "lab",
        "--task": tasks,
        "--data": data != "auto",
        "--data-root": data_root,
        "--epochs": epochs,
        "--retrain": retrain,
    }
    parts = {"inputs": inputs, "evaluate": evaluate, "calibrate": calibrate}
    of_user = user_models(models, parts, [option for option, given in supplied_only.items() if given])
    spec = plan(
        suite,
        tasks,
        [str(name) for name in models],
        techniques,
        of_user,
        batch_sizes=several(batch_sizes),
        runs=runs,
        precision=precision,
        budget_s=budget_s,
        timeout_s=timeout_s,
        threads=threads,
        pin=pin,
        engine=engine,
        device=device,
        seed=seed,
        epochs=epochs,
        data=data,
    )
    place = Place(Path(out) if out is not None else None, root, of_user, retrain, progress)
    return execute(spec, CheckpointStore.of_user(), place)
