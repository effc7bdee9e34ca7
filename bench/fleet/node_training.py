"""The process on a node that trains: ``python -m bench.fleet.node_training``, one training after another on one core.

Each is carried out by a worker, as on a machine alone: a process that is forked from one that has imported torch. It
begins with the state that another node has left, and leaves one after each epoch.
"""

from __future__ import annotations

import functools
from pathlib import Path

from bench.core.progress import Bars
from bench.fleet.node_process import UnfitNodeError, serve
from bench.fleet.request import TrainingRequest
from bench.measuring import machine
from bench.running.weights import label
from bench.storage.checkpoint_store import CheckpointStore
from bench.worker.messages import PREPARATION_HOST
from bench.worker.process import Worker, start_server


def main(request: TrainingRequest, bars: Bars) -> None:
    """Carry a training out; raises what it failed of, or ``UnfitNodeError`` where the weights would be others."""
    start_server()  # imports torch while the CPU is asked what it is
    here = _instruction_sets()
    if set(here) != set(request.training_isa):
        raise UnfitNodeError(
            f"its instruction sets are others ({', '.join(here)}) than the driver's, and so would the weights be."
        )
    worker = Worker(PREPARATION_HOST)
    try:
        store = CheckpointStore(Path(request.folder) / "out")
        worker.send("train", request.training, Path(request.places[request.dataset]), store)
        worker.receive(bars.stage(label(request.training)))
    finally:
        worker.close()


@functools.cache
def _instruction_sets() -> list[str]:
    """Ask the CPU once, since it takes a second."""
    return machine.instruction_sets()


if __name__ == "__main__":
    serve(lambda text, bars: main(TrainingRequest.model_validate_json(text), bars))
