"""Which reports have been made here, with which version, and how long each took."""

from __future__ import annotations

from pathlib import Path

from bench.core.files import write_atomically
from bench.results.record import Record


class Made(Record):
    """One report, finished or begun."""

    quantbench: str
    on_gpu: bool = False
    """Whether its weights are a GPU's."""
    steps: int
    """How many of its steps have been taken."""
    seconds: float
    """In all, over the times that it was interrupted."""
    ended: str | None = None
    """When it was finished; ``None`` if it was interrupted."""


class State(Record):
    """What is known of all reports."""

    parts: dict[str, Made] = {}

    @classmethod
    def read(cls, path: Path) -> State:
        """Return what the file says; nothing is known where there is none."""
        return cls.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else cls()

    def finished(self, name: str, version: str) -> Made | None:
        """Return what is known of a report if this version has made it."""
        made = self.parts.get(name)
        return made if made is not None and made.ended and made.quantbench == version else None

    def begun(self, name: str, version: str, *, on_gpu: bool | None = None) -> Made | None:
        """Return what is known of a report that this version has begun, with weights of such a device, not finished."""
        made = self.parts.get(name)
        known = made is not None and not made.ended and made.quantbench == version
        return made if known and made is not None and on_gpu in (None, made.on_gpu) else None

    def noted(self, name: str, made: Made, path: Path) -> State:
        """Return the state with one report more, which is written too."""
        state = State(parts={**self.parts, name: made})
        write_atomically(path, state.model_dump_json(indent=1) + "\n")
        return state
