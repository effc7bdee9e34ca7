"""The process on a node that trains: ``python -m bench.fleet.node_training request.json``, one training on one core.

It begins with the state that another node has left, and leaves one after each epoch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.core.errors import TrainingError
from bench.core.progress import Bars
from bench.fleet.node_process import UnfitNodeError, serve
from bench.fleet.request import TrainingRequest
from bench.measuring import machine
from bench.running.weights import label
from bench.storage.checkpoint_store import CheckpointStore
from bench.worker.preparation_host import PreparationHost


def main(request: TrainingRequest, bars: Bars) -> None:
    """Carry a training out; raises ``TrainingError``, or ``UnfitNodeError`` where the weights would be others."""
    here = machine.describe()
    if set(here.isa) != set(request.training_isa):
        raise UnfitNodeError(
            f"its instruction sets are others ({', '.join(here.isa)}) than the driver's, and so would the weights be."
        )
    host = PreparationHost(bars.stage(label(request.training)))
    store = CheckpointStore(Path(request.folder) / "out")
    try:
        host.train(request.training, Path(request.places[request.dataset]), store)
    except (RuntimeError, MemoryError) as error:  # torch's, when memory is exhausted too
        raise TrainingError(f"{type(error).__name__}: {error}") from error


if __name__ == "__main__":
    serve(lambda text, bars: main(TrainingRequest.model_validate_json(text), bars), Path(sys.argv[1]))
