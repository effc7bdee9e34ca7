"""What makes one folder of ``reports/``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.reports.needs import BFLOAT16, Need


class PartError(Exception):
    """A part cannot be made; its sentence says why."""


@dataclass(frozen=True)
class Folders:
    """Where a part works."""

    out: Path
    """What it makes; it takes the place of the committed folder once the part is finished."""
    scratch: Path
    """For what is not committed."""
    reports: Path
    """The committed reports, of which some are made of others."""

    def filled(self, text: str) -> str:
        """Return a text with these folders in the place of ``{out}``, ``{scratch}`` and ``{reports}``."""
        return text.format(out=self.out, scratch=self.scratch, reports=self.reports)


@dataclass(frozen=True)
class Command:
    """A command of the interpreter that makes the reports."""

    words: tuple[str, ...]
    """What follows ``python``; folders are named as in ``Folders.filled``."""
    within: str = "."
    """The folder that it runs in, by default that of the repository."""
    whole: Callable[[Path], bool] | None = None
    """Given ``out``, whether a command that ended with code 1 has finished and missed a bound; without it, it failed.

    A report that says which bounds are missed is as good as another.
    """


Step = Command | Callable[[Folders], None]


@dataclass(frozen=True)
class Part:
    """A report, and how it is made."""

    name: str
    """Of its folder."""
    about_s: float
    """How long it takes on two cores, with the trainings that no part before it made; for planning alone."""
    steps: tuple[Step, ...]
    needs: tuple[Need, ...] = ()
    after: tuple[str, ...] = ()
    """Reports that it is made of."""
    long: bool = False
    """Whether it is made with ``--long`` alone."""
    continues: bool = False
    """Whether it begins with the committed files, to which it adds what is missing."""
    on_gpu: bool = False
    """Whether all its commands take a --training-device; trainings on a GPU need nothing of the CPU."""

    def lacking(self, *, on_gpu: bool = False) -> list[str]:
        """Return the names of what it needs and this machine lacks, with its trainings on a GPU if they can be."""
        spared = BFLOAT16 if self.on_gpu and on_gpu else None
        return [need.name for need in self.needs if need is not spared and not need.is_here()]


def bench(*words: str) -> Command:
    """Return a command of quantbench."""
    return Command(("-m", "bench", *words))


def script(name: str, *words: str, whole: Callable[[Path], bool] | None = None) -> Command:
    """Return a module of ``tests.benchmarks`` that writes its report to ``--out``."""
    return Command(("-m", f"tests.benchmarks.{name}", *words, "--out", "{out}"), whole=whole)
