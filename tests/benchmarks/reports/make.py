"""Makes reports one after the other; a committed folder is replaced once its part is finished."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.reports.part import Command, Folders, Part, PartError
from tests.benchmarks.reports.state import Made, State
from tests.repository import ROOT

INTERRUPT_S = 60.0
"""How long a command that was interrupted has to keep what it has."""


@dataclass(frozen=True)
class Outcome:
    """What became of a part."""

    part: Part
    word: str
    """made, kept, left out or failed."""
    reason: str = ""
    seconds: float | None = None


class Making:
    """Makes parts in a folder of their own, and then puts them in the place of committed reports."""

    def __init__(
        self,
        version: str,
        work: Path,
        reports: Path = ROOT / "reports",
        *,
        long: bool = False,
        again: bool = False,
        on_gpu: bool = False,
    ) -> None:
        """Take the folder ``work`` for the state, logs and what is not finished.

        ``long`` parts are made only if that is asked for, and what this ``version`` has made only ``again``. With
        ``on_gpu`` weights are trained on a GPU, or taken from one's cache, for those parts that can have it so.
        """
        self._version, self._work, self._reports, self._long, self._again = version, work, reports, long, again
        self._on_gpu = on_gpu
        self._state = State.read(work / "state.json")
        self._failed: set[str] = set()

    def make(self, part: Part) -> Outcome:
        """Make a part, unless it is made or something is missing."""
        finished = self._state.finished(part.name, self._version)
        if finished is not None and not self._again:
            return Outcome(part, "kept", f"made {finished.ended}", finished.seconds)
        if part.long and not self._long:
            return Outcome(part, "left out", "takes long; ask for it with --long")
        if lacking := part.lacking(on_gpu=self._on_gpu):
            return Outcome(part, "left out", f"this machine has no {', no '.join(lacking)}")
        if waiting := sorted(self._failed & set(part.after)):
            return Outcome(part, "left out", f"is made of {', '.join(waiting)}, which failed")
        folders = Folders(self._work / "new" / part.name, self._work / "scratch" / part.name, self._reports)
        try:
            seconds = self._carry_out(part, folders)
        except PartError as error:
            self._failed.add(part.name)
            return Outcome(part, "failed", str(error))
        put(folders.out, self._reports / part.name)
        shutil.rmtree(folders.scratch, ignore_errors=True)
        ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._note(part, steps=len(part.steps), seconds=seconds, ended=ended)
        return Outcome(part, "made", seconds=seconds)

    def _carry_out(self, part: Part, folders: Folders) -> float:
        """Take the steps that are not taken yet; return the seconds of all. Raises ``PartError``."""
        begun = self._begin(part, folders)
        steps, start = begun.steps, time.monotonic()
        try:
            for step in part.steps[steps:]:
                if isinstance(step, Command):
                    where = ("--training-device", "cuda") if self._trains_on_gpu(part) else ()
                    command = replace(step, words=(*step.words, *where))
                    self._run(command, folders, self._work / "logs" / f"{part.name}.log")
                else:
                    step(folders)
                steps += 1
        finally:
            seconds = begun.seconds + time.monotonic() - start
            self._note(part, steps=steps, seconds=seconds)
        return seconds

    def _begin(self, part: Part, folders: Folders) -> Made:
        """Make the folders ready; return what has been done of the part."""
        begun = self._state.begun(part.name, self._version, on_gpu=self._trains_on_gpu(part))
        if begun is None:  # what lies there is of another version, or has other weights
            shutil.rmtree(folders.out, ignore_errors=True)
            shutil.rmtree(folders.scratch, ignore_errors=True)
            if part.continues and (self._reports / part.name).exists():
                shutil.copytree(self._reports / part.name, folders.out)
        for folder in (folders.out, folders.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        return begun or Made(quantbench=self._version, steps=0, seconds=0.0)

    def _trains_on_gpu(self, part: Part) -> bool:
        return part.on_gpu and self._on_gpu

    def _run(self, command: Command, folders: Folders, log: Path) -> None:
        """Run a command; its progress is on the terminal, and what it prints in the log."""
        words = [folders.filled(word) for word in command.words]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT / folders.filled(command.within),
                env=os.environ | {"PYTHONPATH": path},
                stdout=output,
            )
            try:
                code = process.wait()
            except KeyboardInterrupt:  # which the command has got, too
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(INTERRUPT_S)
                raise
        missed = code == 1 and command.whole is not None and command.whole(folders.out)
        if code and not missed:
            raise PartError(f"'python {' '.join(words)}' ended with code {code}; {log} has what it printed")

    def _note(self, part: Part, *, steps: int, seconds: float, ended: str | None = None) -> None:
        made = Made(
            quantbench=self._version,
            on_gpu=self._trains_on_gpu(part),
            steps=steps,
            seconds=round(seconds, 1),
            ended=ended,
        )
        self._state = self._state.noted(part.name, made, self._work / "state.json")


def put(new: Path, target: Path) -> None:
    """Move a folder to the place of another, which is there until then."""
    old = new.with_name(f"{new.name}.before")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        shutil.move(target, old)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, target)
    shutil.rmtree(old, ignore_errors=True)
