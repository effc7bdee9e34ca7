"""The process on a node that measures: ``python -m bench.fleet.node_run``.

It is what ``bench run`` is on a machine alone, with a plan, data and weights that the driver has sent.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.core.progress import Bars
from bench.fleet.node_process import serve
from bench.fleet.request import RunRequest
from bench.running.execute import Place, execute
from bench.storage.checkpoint_store import CheckpointStore


def main(request: RunRequest, bars: Bars) -> None:
    """Carry a request out; raises ``QuantbenchError``."""
    folder = Path(request.folder)
    place = Place(
        out=folder / "out",
        user_models=[model.restored(request.places) for model in request.user_models],
        datasets={task: Path(request.places[digest]) for task, digest in request.datasets.items()},
        training_isa=frozenset(request.training_isa),
        bars=bars,
    )
    execute(request.spec, store_of(request.checkpoints, request.places, folder / "checkpoints"), place)


def store_of(checkpoints: dict[str, str], places: dict[str, str], folder: Path) -> CheckpointStore:
    """Return a store of the checkpoints that were sent, and of no other: weights are the driver's, or trained here."""
    folder.mkdir()
    for name, digest in checkpoints.items():
        shutil.copyfile(places[digest], folder / name)
    return CheckpointStore(folder)


if __name__ == "__main__":
    serve(lambda text, bars: main(RunRequest.model_validate_json(text), bars))
