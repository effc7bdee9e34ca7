"""``bench export``: the file of a variant, packed or for its runtime."""

from __future__ import annotations

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.studies import ExportOptions


@from_options
def command(options: ExportOptions) -> None:
    """Write a model after a technique for use elsewhere: a packed file, or a folder that runs without quantbench.

    Trains the model if its weights are not there. Without --runtime it is the packed file, which bench.load_packed
    reads; with it a folder of the file that the runtime loads, a program that does (predict.py), an example, a README.
    Either is written once a fresh process has loaded it, to the same outputs.
    """
    from bench.core.units import kilobytes
    from bench.studies.export import export

    facts = export.with_options(options)
    if options.runtime is not None:
        size = kilobytes(facts.deploy_bytes or 0)
        show(f"{options.path}: {size} kB for {options.runtime}; predict.py runs it without quantbench.")
        return
    stored = ", ".join(f"{dtype} {count:,}" for dtype, count in facts.bytes_by_dtype.items())
    show(f"{options.path}: {kilobytes(facts.packed_bytes or 0)} kB ({stored} bytes), reloaded to the same logits.")
