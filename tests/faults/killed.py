"""The command, with a place in it at which it is killed: ``python -m tests.faults.killed PLACE ARGUMENTS``.

``SIGKILL`` leaves it no time to tidy up. The places are chosen and not drawn, so that a test is the same each time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND, PLACE, WORKER = "FAULTS_COMMAND", "FAULTS_PLACE", "FAULTS_WORKER"
"""Variables that tell workers whom to kill, where, and where to note which process they are."""
PROCESSES = 4
"""Of each variant, instead of a dozen: what is measured is not what these tests are about."""


def main() -> None:
    """Plant the fault, in the workers too, and be the command."""
    place, *sys.argv[1:] = sys.argv[1:]
    os.environ[COMMAND], os.environ[PLACE] = str(os.getpid()), place
    if place in IN_THE_COMMAND:
        IN_THE_COMMAND[place]()
    if place in IN_WORKERS:
        from bench.worker.process import start_server

        start_server(["tests.faults.killed"])
    from bench.cli import main as command
    from bench.measuring.latency import sampling

    vars(sampling)["MAX_PROCESSES"] = PROCESSES
    command.main()


def _kill_at(owner: Any, name: str, chosen: Callable[..., bool], then: Callable[[], None]) -> None:
    """Let the method ``name`` do ``then`` in the place of a call that is ``chosen``."""
    method = getattr(owner, name)

    def planted(self: Any, *arguments: Any) -> Any:
        if chosen(self, *arguments):
            then()
        return method(self, *arguments)

    setattr(owner, name, planted)


def _kill_this() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_the_command() -> None:
    os.kill(int(os.environ[COMMAND]), signal.SIGKILL)


def _kill_both() -> None:
    _kill_the_command()
    _kill_this()


def _kill_the_command_and_stay() -> None:
    """Note which process this is and wait for good: somebody must end it."""
    Path(os.environ[WORKER]).write_text(str(os.getpid()))
    _kill_the_command()
    signal.pause()


def _in_pass_three() -> None:
    from bench.running.latency import ModelLatency

    _kill_at(ModelLatency, "_make_rounds", lambda model, *_: model.sample.passes == 2, _kill_this)


def _third_time() -> Callable[..., bool]:
    times = iter(range(10_000))
    return lambda path, target: Path(target).name == "run.json" and next(times) == 2


def _while_training() -> None:
    """Save after each epoch, and be killed once two are saved."""
    from bench.tasks.training import loop
    from bench.tasks.training.resume import Trainee

    loop.SAVE_EVERY_S = 0.0
    saved = iter(range(10_000))
    _kill_at(Trainee, "save", lambda *_: next(saved) == 2, _kill_the_command_and_stay)


def _while_writing_the_checkpoint() -> None:
    from bench.tasks.training import loop

    loop.SAVE_EVERY_S = 0.0
    _kill_at(Path, "replace", lambda path, target: Path(target).suffix == ".safetensors", _kill_both)


IN_THE_COMMAND: dict[str, Callable[[], None]] = {
    "measuring": _in_pass_three,
    "writing run.json": lambda: _kill_at(Path, "replace", _third_time(), _kill_this),
    "writing report.md": lambda: _kill_at(Path, "replace", lambda path, to: Path(to).name == "report.md", _kill_this),
}
IN_WORKERS: dict[str, Callable[[], None]] = {
    "training": _while_training,
    "writing the checkpoint": _while_writing_the_checkpoint,
}

if __name__ == "__main__":
    main()
elif os.environ.get(PLACE) in IN_WORKERS:  # imported by the server of workers, before it forks them
    IN_WORKERS[os.environ[PLACE]]()
