"""What is asked of a run: everything that decides its rows, and nothing of the machine that will carry it out."""

from __future__ import annotations

from bench.core.variant_key import VariantKey
from bench.results.bounds import Label, Name, Records, Seed
from bench.results.settings import Asked
from bench.results.variant_field import VariantField
from bench.tasks.policy import DataPolicy


class RunSpec(Asked):
    """It can be written to a file and carried out elsewhere; paths and cores are that machine's matter."""

    variants: Records[VariantField]
    """Of each model; the baseline first."""
    pin: Name
    """``auto``, ``none``, or the numbers of cores."""
    engine: Label | None
    """Of torch's int8 kernels; ``None`` for the default."""
    seed: Seed
    data: DataPolicy

    @property
    def techniques(self) -> list[str]:
        """The techniques of the variants, each once."""
        return list(dict.fromkeys(key.technique for key in self.variants))

    @property
    def runtimes(self) -> list[str]:
        """The runtimes of the variants, each once."""
        return list(dict.fromkeys(key.runtime for key in self.variants))

    def with_variants(self, variants: list[VariantKey]) -> RunSpec:
        """Return the same measurement of other variants."""
        return self.model_copy(update={"variants": variants})
