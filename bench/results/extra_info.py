"""What the fixture ``quantbench`` notes of each benchmark: the ``extra_info`` of pytest-benchmark's JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from bench.core.variant_key import EAGER, VariantKey
from bench.results.bounds import Bytes, CallTimes, Count, Label, Name, PositiveCount, Share, Texts
from bench.results.provenance import Data
from bench.results.row import Layers, Treated

MACHINE_KEY = "quantbench"
"""Of our fingerprint in the machine part of that file."""
OWN = "own"
"""The task of models that a user's tests bring."""


class ExtraInfo(BaseModel):
    """One variant at one batch size; flat, so that other tools read it too."""

    # A test may note more beside it.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    quantbench: Label
    """The version that measured; its presence marks a benchmark as ours."""
    task: Name
    model: Name
    technique: Name
    runtime: Label = EAGER
    scheme: Label
    dtype: Label
    batch_size: PositiveCount
    threads: PositiveCount
    device: Label
    engine: Label
    """The quantized engine that was set."""
    size_bytes: Bytes
    """Of ``torch.save(model.state_dict())``; on another runtime than eager of its files."""
    packed_bytes: Bytes | None
    """Of our smallest file; nobody has reloaded it here. ``None`` for a model that cannot be packed."""
    params: Count
    layers: Layers | None
    """``None`` on another runtime than eager."""
    treated: Treated | None = None
    accuracy: Share | None
    """The share of right answers."""
    correct: Count | None
    total: PositiveCount | None
    """The counts behind it; ``None`` where the test gave the share alone."""
    simulated: bool
    """See ``bench.results.row.Row``."""
    notes: Texts
    warm_up_s: CallTimes
    """Seconds per call of each warm-up block; none where benchmarks were disabled."""
    warm: bool
    data: Data | None = None
    """Where the data of a supplied model came from."""

    @property
    def key(self) -> VariantKey:
        """What tells the variant from the others of its model."""
        return VariantKey(self.technique, self.runtime)

    @model_validator(mode="after")
    def _no_more_right_than_all(self) -> ExtraInfo:
        if self.correct is not None and self.total is not None and self.correct > self.total:
            raise ValueError(f"correct: {self.correct} of {self.total}")
        return self
