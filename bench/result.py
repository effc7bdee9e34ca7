"""The run file: the rows of one machine at one time.

| schema | since | what changed |
|---|---|---|
| 1 | 0.1.0 | first |

Seconds and bytes throughout; ``None`` means "not measured", never 0. Unknown keys are refused by name.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import RequestError, RunFileError

SCHEMA_VERSION: Final = 1

Status = Literal["ok", "unsupported", "failed", "noisy"]
"""``noisy`` is reserved for rows whose interval stays too wide; nothing sets it yet."""

BASELINE = "fp32"
"""The technique that speed-ups and sizes are held against."""


class Record(BaseModel):
    """Immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(Record):
    """What the figures were measured on."""

    cpu: str
    architecture: str
    isa: list[str]
    """The instruction sets that decide low-precision speed, of those this CPU has."""
    physical_cores: int | None
    logical_cores: int
    memory_bytes: int
    accelerators: list[str]
    os: str
    python: str
    torch: str
    quantized_engines: list[str]
    """The engines that this torch supports."""
    quantized_engine: str
    """The one that is active unless a run sets another."""


class Settings(Record):
    """What was asked for; two runs compare only where these agree."""

    suite: str
    models: list[str]
    """As ``task/model``, in order."""
    techniques: list[str]
    batch_sizes: list[int]
    runs: int
    rounds_per_run: int
    threads: int
    device: str
    engine: str
    """The quantized engine of the int8 rows."""
    seed: int
    data: Literal["auto", "real", "synthetic"]


class Data(Record):
    """Where one task's data came from."""

    task: str
    kind: Literal["real", "synthetic"]
    title: str
    origin: str
    note: str
    """Why a stand-in was taken; empty otherwise."""
    citation: str
    fingerprint: str
    train_examples: int
    test_examples: int


class Training(Record):
    """The weights that a model's rows share."""

    model: str
    """As ``task/model``."""
    precision: str
    """``float32``, or the autocast type it was trained under."""
    description: str
    recipe: dict[str, str | int | float | bool]
    recipe_hash: str
    seed: int
    seconds: float
    """The training's wall time; of the first training, where the checkpoint was reloaded."""
    threads: int
    device: str


class Accuracy(Record):
    """Right answers on the whole test set."""

    correct: int = Field(ge=0)
    total: int = Field(gt=0)


class Latency(Record):
    """Forward passes at one batch size."""

    runs_s: list[float] = Field(min_length=1)
    """Seconds per call of each run: the mean over its rounds."""
    rounds_s: list[float]
    """Seconds per call of each round's block, in order; round i of every variant of a model is paired."""
    calls_per_block: int
    warm_up_s: list[float]
    """Seconds per call of each warm-up block."""
    warm: bool
    """Whether the last two warm-up windows agreed."""


class Speedup(Record):
    """How many times faster than fp32: the median over paired rounds, and its confidence interval."""

    value: float
    low: float
    high: float
    confidence: float


class Layers(Record):
    """How many Linear and convolution layers the technique changed."""

    changed: int
    total: int


class Row(Record):
    """All measurements of one variant."""

    task: str
    model: str
    technique: str
    runtime: str = "eager"
    scheme: str
    """The lab's Q: how it was quantized."""
    dtype: str
    status: Status
    reason: str = ""
    """Why the status is not ``ok``."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know to judge the figures."""
    size_bytes: int | None = None
    """Of ``torch.save(model.state_dict())``."""
    packed_bytes: int | None = None
    """Of the smallest file that reloads to the same logits."""
    params: int | None = None
    layers: Layers | None = None
    accuracy: Accuracy | None = None
    latency: dict[int, Latency] = Field(default_factory=dict)
    """By batch size."""
    speedup: dict[int, Speedup] = Field(default_factory=dict)
    """By batch size, over the fp32 row of the same run."""
    peak_memory_bytes: int | None = None


class Run(Record):
    """The rows of one machine at one time."""

    schema_version: Literal[1] = SCHEMA_VERSION
    quantbench: str
    created: str
    """ISO 8601, UTC."""
    finished: bool
    machine: Machine
    settings: Settings
    data: list[Data] = Field(default_factory=list)
    trainings: list[Training] = Field(default_factory=list)
    rows: list[Row] = Field(default_factory=list)

    def rows_of(self, task: str) -> list[Row]:
        """Return the rows of one task, in order."""
        return [row for row in self.rows if row.task == task]

    def _repr_markdown_(self) -> str:
        """Render as the report, in a notebook."""
        from bench.report.markdown import render

        return render([self])


def save(run: Run, path: Path) -> None:
    """Write the run file atomically: a reader sees the old one or the new one, never a part."""
    write_atomically(path, run.model_dump_json(indent=1, exclude_defaults=False) + "\n")


def load(path: Path) -> Run:
    """Read a run file; raises ``RunFileError`` saying what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFileError(
            f"{path} cannot be read ({error.strerror}); name a run.json that 'bench run' wrote."
        ) from error
    except ValueError as error:
        raise RunFileError(f"{path} is not a run file, or a truncated one ({error}); measure again.") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version is None:
        raise RunFileError(
            f"{path} is not a run file: it has no schema_version; name a run.json that 'bench run' wrote."
        )
    if version != SCHEMA_VERSION:
        raise RunFileError(
            f"{path} has schema version {version!r} and this quantbench reads version {SCHEMA_VERSION}; "
            f"render it with the version that wrote it, or measure again."
        )
    try:
        return Run.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RunFileError(f"{path} is not a valid run file: {where}: {first['msg']}; measure again.") from error


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there; raises ``RequestError`` if the folder cannot be written."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's files are for the owner alone
        temporary.replace(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be written ({error.strerror}); name another place with --out.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Raise ``RequestError`` unless files can be written in ``folder``, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(f"{folder} cannot be written ({error.strerror}); name another folder with --out.") from error
