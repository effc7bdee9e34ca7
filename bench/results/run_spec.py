"""What is asked of a run: everything that decides its rows, and nothing of the machine that will carry it out."""

from __future__ import annotations

from bench.core.variant_key import VariantKey
from bench.results.run import Record
from bench.results.variant_field import VariantField
from bench.tasks.policy import DataPolicy


class RunSpec(Record):
    """It can be written to a file and carried out elsewhere; paths and cores are that machine's matter."""

    suite: str
    models: list[str]
    """As ``task/model``."""
    variants: list[VariantField]
    """Of each model; the baseline first."""
    batch_sizes: list[int]
    runs: int
    precision: float
    """Half the width of a speed-up's interval, as a share, that is enough."""
    budget_s: float | None
    timeout_s: float
    threads: int
    pin: str
    """``auto``, ``none``, or the numbers of cores."""
    device: str
    engine: str | None
    """Of torch's int8 kernels; ``None`` for the default."""
    seed: int
    epochs: int | None
    """In the place of every recipe's."""
    data: DataPolicy
    inputs: str = ""
    """Of users' models: what gives their inputs, such as ``net.py:inputs``."""
    evaluate: str = ""
    calibrate: str = ""

    @property
    def techniques(self) -> list[str]:
        """The techniques of the variants, each once."""
        return list(dict.fromkeys(key.technique for key in self.variants))

    def with_variants(self, variants: list[VariantKey]) -> RunSpec:
        """Return the same measurement of other variants."""
        return self.model_copy(update={"variants": variants})
