"""What the fixture ``quantbench`` notes of each benchmark: the ``extra_info`` of pytest-benchmark's JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bench.result import Data, Layers

MACHINE_KEY = "quantbench"
"""Of our fingerprint in the machine part of that file."""
OWN = "own"
"""The task of models that a user's tests bring."""


class ExtraInfo(BaseModel):
    """One variant at one batch size; flat, so that other tools read it too."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # a test may note more beside it

    quantbench: str
    """The version that measured; its presence marks a benchmark as ours."""
    task: str
    model: str
    technique: str
    scheme: str
    dtype: str
    batch_size: int = Field(ge=1)
    threads: int
    device: str
    engine: str
    """The quantized engine that was set."""
    size_bytes: int
    """Of ``torch.save(model.state_dict())``."""
    packed_bytes: int | None
    """Of our smallest file; nobody has reloaded it here. ``None`` for a model that cannot be packed."""
    params: int
    layers: Layers
    accuracy: float | None
    """The share of right answers."""
    correct: int | None
    total: int | None
    """The counts behind it; ``None`` where the test gave the share alone."""
    simulated: bool
    """See ``bench.result.Row``."""
    notes: list[str]
    warm_up_s: list[float]
    """Seconds per call of each warm-up block; none where benchmarks were disabled."""
    warm: bool
    data: Data | None = None
    """Where the data of a supplied model came from."""
