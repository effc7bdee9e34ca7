"""``bench export``: the packed file of a variant."""

from __future__ import annotations

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.studies import ExportOptions


@from_options
def command(options: ExportOptions) -> None:
    """Write the packed file of a model after a technique, which bench.load_packed(FILE) reads.

    Trains the model if its weights are not there. The file is written once another process has rebuilt the model from
    it, to the same logits.
    """
    from bench.core.units import kilobytes
    from bench.studies.export import export

    facts = export.with_options(options)
    stored = ", ".join(f"{dtype} {count:,}" for dtype, count in facts.bytes_by_dtype.items())
    show(f"{options.path}: {kilobytes(facts.packed_bytes or 0)} kB ({stored} bytes), reloaded to the same logits.")
