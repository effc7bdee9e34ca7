"""An inspection of a low-bit technique's layers in markdown."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

from bench.core.units import MISSING
from bench.report.tables import table
from bench.results.inspection import Inspection, LayerInspection, OutputStatistics

FEW = 16
"""Different values that are listed one by one."""


def render(inspection: Inspection) -> str:
    """Return tables of layers, outputs, quantized inputs and scores, and a sentence on each layer asked for."""
    scores = [[rule, f"{score:.4f}"] for rule, score in inspection.scores.items()]
    parts = [
        _layers(inspection.layers),
        *(levels(layer) for layer in inspection.layers if layer.name in inspection.described),
        _values(inspection.outputs, "Outputs of"),
        _values(inspection.activations, "Quantized inputs of"),
        table(scores, ["Rule", "Score"]),
    ]
    return "\n\n".join(filter(None, parts))


def _layers(layers: Sequence[LayerInspection]) -> str:
    learned = any(layer.clip is not None for layer in layers)
    cells = [
        [
            layer.name,
            f"{layer.weights:,}",
            f"{layer.distinct:,}",
            layer.bits,
            _decibels(layer.sqnr_db),
            _decibels(layer.fitted_sqnr_db),
            *[MISSING if layer.clip is None else f"{layer.clip:.4g}"] * learned,
        ]
        for layer in layers
    ]
    return table(
        cells, ["Layer", "Weights", "Distinct", "Bits", "SQNR (dB)", "SQNR fitted (dB)", *["Learned clip α"] * learned]
    )


def levels(layer: LayerInspection) -> str:
    """Return the different values of a layer in a sentence: all of a few, the ends and the step of many."""
    values = [f"{value:.4g}" for value in layer.values]
    counted = f"`{layer.name}` has {layer.distinct:,} different weights"
    if layer.distinct <= FEW:
        return f"{counted}: {', '.join(values)}."
    steps = [after - before for before, after in itertools.pairwise(layer.values)]
    step = statistics.fmean(steps)
    if max(steps) - min(steps) < 1e-3 * step:
        return f"{counted}: {values[0]} to {values[-1]} in steps of {step:.4g}."
    return f"{counted}: {', '.join(values[:3])}, …, {values[-1]}."


def _values(recorded: Sequence[OutputStatistics], title: str) -> str:
    header = [title, "Shape", "Least", "Mean", "Std", "Largest", "Distinct"]
    cells = [
        [
            f"`{layer.name}`",
            " × ".join(map(str, layer.shape)),
            *(f"{value:.4g}" for value in (layer.least, layer.mean, layer.std, layer.largest)),
            f"{layer.distinct:,}",
        ]
        for layer in recorded
    ]
    return table(cells, header)


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "∞" if value > 0 else "−∞"
