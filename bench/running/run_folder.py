"""The run so far, and its file: begun, taken up where it stopped, added to, finished."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from bench.core import files
from bench.core.errors import RequestError, RunFileError
from bench.core.variant_key import VariantKey
from bench.report import markdown, pictures
from bench.results import run_file
from bench.results.latency import Latency
from bench.results.machine import Machine, obstacles_to_one_run
from bench.results.provenance import Data, Training
from bench.results.row import Row
from bench.results.run import ReferenceLatency, Run
from bench.results.settings import Settings
from bench.tasks.temporary import lock

RUN_FILE = "run.json"
REPORT_FILE = "report.md"
PREVIOUS_FILE = "run.previous.json"
LIMITS = {"budget_s", "spread_s", "timeout_s"}
"""Settings that may change when a run is taken up again: a budget that was too short must not bind what comes after."""


@contextmanager
def held(folder: Path | None) -> Iterator[None]:
    """Keep other runs out of ``folder`` while this one writes into it; raises ``RequestError`` if one is at work.

    The folder is made, with those above it, and what was made is removed again if nothing was written.
    """
    if folder is None:
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with lock(folder) as alone:
            if not alone:
                raise RequestError(
                    f"another run is writing into {folder}; wait until it has ended, or name another folder with --out."
                )
            yield
    finally:
        with suppress(OSError):  # one holds something, and so do those above it
            for path in made:
                path.rmdir()


class RunFolder:
    """Holds a run and keeps its file; nothing is written before the first rows are there."""

    def __init__(self, run: Run, folder: Path | None) -> None:
        self.run = run
        self._folder = folder

    @classmethod
    def open(cls, folder: Path | None, settings: Settings, here: Machine, notes: Sequence[str] = ()) -> RunFolder:
        """Begin a run, or take up the unfinished one of the same settings in ``folder``.

        A finished run there becomes ``run.previous.json`` when the first rows of this one are written.
        Raises ``RunFileError`` where something else stands in the way.
        """
        fresh = Run(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            finished=False,
            notes=list(notes),
            machine=here,
            settings=settings,
        )
        if folder is None or not (folder / RUN_FILE).exists():
            return cls(fresh, folder)
        try:
            before = run_file.load(folder / RUN_FILE)
        except RunFileError as error:
            cause = str(error).partition(";")[0]
            raise RunFileError(
                f"{folder / RUN_FILE} is in the way ({cause}); move it away, or name another folder with --out."
            ) from error
        if before.finished or not before.rows:
            return cls(fresh, folder)
        differing = [
            f"{name} {getattr(before.settings, name)!r}, now {getattr(settings, name)!r}"
            for name in Settings.model_fields
            if name not in LIMITS and getattr(before.settings, name) != getattr(settings, name)
        ]
        differing += obstacles_to_one_run(before.machine, here)
        if before.quantbench != fresh.quantbench:
            differing.append(f"quantbench {before.quantbench}, now {fresh.quantbench}")
        if differing:
            raise _other_run(folder / RUN_FILE, "settings", differing)
        return cls(before.model_copy(update={"settings": settings}), folder)

    def require_same_data(self, identities: Mapping[str, tuple[str, str]]) -> None:
        """Raise ``RunFileError`` if rows that are there were measured on other data: kind and fingerprint by task.

        Of a user's model the fingerprint of all its files counts: the rows to come must be of the same model.
        """
        before = {entry.task: (entry.kind, entry.source or entry.fingerprint) for entry in self.run.data}
        differing = [
            f"{task} {' '.join(was)}, now {' '.join(identities[task])}"
            for task, was in before.items()
            if task in identities and was != identities[task]
        ]
        if differing and self._folder is not None:
            raise _other_run(self._folder / RUN_FILE, "data", differing)

    def rows_of(self, name: str) -> dict[VariantKey, Row]:
        """Return the rows that there are of the model ``task/model``."""
        return {row.key: row for row in self.run.rows if row.full_model == name}

    def references_of(self, name: str) -> dict[int, Latency]:
        """Return what the run has of the reference workload beside a model, by batch size."""
        return next((dict(entry.latency) for entry in self.run.references if entry.model == name), {})

    def add(self, data: Data, trainings: Sequence[Training], rows: Sequence[Row]) -> None:
        """Record one model's rows and what they stand on, on disk too."""
        known = any(entry.task == data.task for entry in self.run.data)
        if not self.run.rows:
            self._keep_previous()
        self.run = self.run.model_copy(
            update={
                "data": self.run.data if known else [*self.run.data, data],
                "trainings": [*self.run.trainings, *trainings],
                "rows": [*self.run.rows, *rows],
            }
        )
        self._save()

    def update(self, rows: Sequence[Row], references: Sequence[ReferenceLatency]) -> None:
        """Record rows anew, with all latencies so far; rows of models that are not among them stay."""
        now = {(row.full_model, row.key): row for row in rows}
        kept = [now.get((row.full_model, row.key), row) for row in self.run.rows]
        self.run = self.run.model_copy(update={"rows": kept, "references": list(references)})
        self._save()

    def add_call_costs(self, costs: Mapping[str, float]) -> None:
        """Record what calls that do nothing take, in seconds by runtime."""
        self.run = self.run.model_copy(update={"call_costs": dict(costs)})

    def finish(self) -> Run:
        """Write the report, then mark the run as finished: the same command goes on until it has a report."""
        self.run = self.run.model_copy(update={"finished": True})
        if self._folder is not None:
            pictures.draw(pictures.pictures_of(self.run), self._folder)
            files.write_atomically(self._folder / REPORT_FILE, markdown.render([self.run]))
        self._save()
        return self.run

    def _keep_previous(self) -> None:
        if self._folder is not None and (self._folder / RUN_FILE).exists():
            (self._folder / RUN_FILE).replace(self._folder / PREVIOUS_FILE)

    def _save(self) -> None:
        if self._folder is not None:
            run_file.save(self.run, self._folder / RUN_FILE)


def _other_run(path: Path, what: str, differing: Sequence[str]) -> RunFileError:
    return RunFileError(
        f"{path} is an unfinished run with other {what} ({'; '.join(differing)}); finish it with its own, "
        f"delete it, or name another folder with --out."
    )
