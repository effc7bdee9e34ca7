"""``bench export``: the file of one variant for use elsewhere, packed or its runtime's with a program that loads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bench.core.errors import CheckpointError, RequestError, UnknownNameError, UnsupportedError
from bench.core.files import require_writable
from bench.core.variant_key import EAGER, VariantKey
from bench.options.signature import from_options
from bench.options.studies import ExportOptions
from bench.running.one_variant import OneVariant, one_variant
from bench.runtimes.base import RUNTIMES
from bench.studies import deployment
from bench.tasks.temporary import temporary_folder
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import VARIANT_HOST, VariantFacts
from bench.worker.process import Worker


@from_options(ExportOptions)
def export(options: ExportOptions) -> VariantFacts:
    """Write ``model`` after ``technique`` for use elsewhere, verified in a fresh process, and return what it came to.

    Without ``runtime`` it is the packed file, which ``bench.load_packed`` reads. With it, ``path`` is a folder that
    needs no quantbench: the file that the runtime loads, a program that does, an example, and a README. Trains the
    weights if they are not in the cache. Raises ``bench.QuantbenchError``.
    """
    offered = [runtime.name for runtime in RUNTIMES.offered()]
    if options.runtime is not None and options.runtime not in offered:
        raise UnknownNameError("runtime", options.runtime, offered)
    key = VariantKey(TECHNIQUES.get(options.technique).name, options.runtime or EAGER)
    target = Path(options.path)
    if options.runtime is not None:
        deployment.require_place(target, options.device)
    elif target.is_dir():
        raise RequestError(f"{target} is a folder; name a file for --out, or a --runtime that it is to run on.")
    require_writable(target.parent)  # before minutes of training
    with one_variant(options, key) as variant:
        try:
            if options.runtime is not None:
                return deployment.deploy(variant, target)
            return _pack(variant, target)
        except UnsupportedError as error:
            raise RequestError(f"{variant.name} as {key} cannot be exported: {error}.") from error


def _pack(variant: OneVariant, path: Path) -> VariantFacts:
    """Write the packed file once another process has rebuilt the variant from it to the same logits."""
    maker, reader = Worker(VARIANT_HOST), Worker(VARIANT_HOST)
    with temporary_folder(path.parent) as folder:
        request = dataclasses.replace(variant.request, packed=folder / path.name)
        technique = request.key.technique
        try:
            facts: VariantFacts = maker.call("build", request)
            if facts.packed_bytes is None:
                raise CheckpointError(f"{technique} has no packed file ({facts.notes[-1]}); choose another technique.")
            if reader.call("verify", request).fingerprint != facts.fingerprint:
                raise CheckpointError(f"the packed file of {technique} reloads to other logits; please report this.")
            request.packed.replace(path)
        finally:
            maker.close()
            reader.close()
    return facts
