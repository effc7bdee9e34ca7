"""What the fixture ``quantbench`` notes of each benchmark: the ``extra_info`` of pytest-benchmark's JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.results.run import Data, Layers

MACHINE_KEY = "quantbench"
"""Of our fingerprint in the machine part of that file."""
OWN = "own"
"""The task of models that a user's tests bring."""


class ExtraInfo(BaseModel):
    """One variant at one batch size; flat, so that other tools read it too."""

    # A test may note more beside it.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    quantbench: str
    """The version that measured; its presence marks a benchmark as ours."""
    task: str
    model: str
    technique: str
    scheme: str
    dtype: str
    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    device: str
    engine: str
    """The quantized engine that was set."""
    size_bytes: int = Field(ge=0)
    """Of ``torch.save(model.state_dict())``."""
    packed_bytes: int | None = Field(ge=0)
    """Of our smallest file; nobody has reloaded it here. ``None`` for a model that cannot be packed."""
    params: int = Field(ge=0)
    layers: Layers
    accuracy: float | None = Field(ge=0, le=1)
    """The share of right answers."""
    correct: int | None = Field(ge=0)
    total: int | None = Field(ge=1)
    """The counts behind it; ``None`` where the test gave the share alone."""
    simulated: bool
    """See ``bench.results.run.Row``."""
    notes: list[str]
    warm_up_s: list[float]
    """Seconds per call of each warm-up block; none where benchmarks were disabled."""
    warm: bool
    data: Data | None = None
    """Where the data of a supplied model came from."""

    @model_validator(mode="after")
    def _no_more_right_than_all(self) -> ExtraInfo:
        if self.correct is not None and self.total is not None and self.correct > self.total:
            raise ValueError(f"correct: {self.correct} of {self.total}")
        return self
