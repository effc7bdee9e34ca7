"""``bench inspect``: what a technique makes of each layer's weights."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import RequestError, UnknownNameError
from bench.core.files import require_writable, write_atomically
from bench.options.signature import from_options
from bench.options.studies import InspectOptions
from bench.results.inspection import Inspection
from bench.running.studied_model import studied_model
from bench.techniques.base import TECHNIQUES
from bench.techniques.low_bit import LowBit
from bench.worker.messages import VARIANT_HOST
from bench.worker.process import Worker


@from_options(InspectOptions)
def inspect(options: InspectOptions) -> Inspection:
    """Return what a low-bit technique makes of the layers of ``model``: levels, signal to noise, scores by rule.

    Of ``layers`` the different weights, and the outputs for some test examples, are described too; with a folder
    ``out``, histograms before and after are drawn into ``weights.svg`` there. Raises ``bench.QuantbenchError``.
    """
    chosen = TECHNIQUES.get(options.technique)
    if not isinstance(chosen, LowBit):
        families = ", ".join(sorted(technique.family for technique in TECHNIQUES if isinstance(technique, LowBit)))
        raise RequestError(f"{options.technique} is not a low-bit technique and has no levels; choose {families}.")
    if not chosen.quantizes:
        raise RequestError(f"{chosen.name} quantizes nothing and has no levels; give fewer bits.")
    folder = Path(options.out) if options.out is not None else None
    if folder is not None:
        require_writable(folder)
    with studied_model(options) as model:
        model.require_possible(chosen)
        modules = model.modules() if options.layers else ()
        for layer in options.layers:
            if layer not in modules:
                raise UnknownNameError("layer", layer, modules)
        weights = model.weights(chosen, options.seed)
        request = model.request(chosen, weights, model.folder / "unused.packed")
        with Worker(VARIANT_HOST) as worker:
            inspection: Inspection = worker.call("inspect", request, list(options.layers))
    if folder is not None:
        from bench.report.histograms import histograms  # matplotlib takes longer to import than all else

        write_atomically(folder / "weights.svg", histograms(inspection.layers))
    return inspection
