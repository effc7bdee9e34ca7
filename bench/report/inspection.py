"""What a low-bit technique makes of each layer's weights, and what any layer puts out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.core.errors import UnknownNameError
from bench.measuring.layer_work import stored_weight_bits
from bench.report.tables import table as markdown_table
from bench.techniques.lowbit.layers import LowBitLayer, low_bit_layers

BINS = 60
FEW = 16
"""Different values that are listed one by one."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values lie between edges, as ``numpy.histogram`` counts."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    """One more than counts."""

    @classmethod
    def of(cls, values: Tensor, bins: int = BINS) -> Histogram:
        """Count ``values`` between their least and their largest; raises ``ValueError`` where one is not finite."""
        counts, edges = np.histogram(_flat(values), bins=bins)
        return cls(counts.astype(np.int64), edges.astype(np.float64))


@dataclass(frozen=True, eq=False)
class LayerInspection:
    """The weights of one layer before and after quantization."""

    name: str
    weights: int
    values: NDArray[np.float64]
    """The different values after it, ascending, of the whole layer: a scale a channel makes more of them than codes."""
    bits: int
    sqnr_db: float
    """See ``sqnr_db``."""
    fitted_sqnr_db: float
    """The same after the common factor that fits best, which the BatchNorm behind a layer makes up for."""
    before: Histogram
    after: Histogram

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class LayerOutputs:
    """What one layer put out."""

    name: str
    calls: tuple[Tensor, ...]
    """One tensor a call, copied, on the device they were made on; none for a layer that was not called."""


def inspect_layers(
    network: nn.Module, before: Mapping[str, Tensor] | None = None, bins: int = BINS
) -> list[LayerInspection]:
    """Return what quantization makes of the weights of each low-bit layer of ``network``, prepared or frozen.

    ``before`` holds the full-precision weights by the names of the layers, as they were before the network was frozen;
    of a prepared one they are still there. Raises ``ValueError`` where they are missing or of
    another shape, and for weights that are not finite.
    """
    inspections = []
    for name, layer in low_bit_layers(network).items():
        with torch.no_grad():
            after = layer.quantized_weight().detach()
        source = _float_weight(name, layer) if before is None else _given(name, layer, before)
        inspections.append(
            LayerInspection(
                name=name,
                weights=after.numel(),
                values=np.unique(_flat(after)),
                bits=stored_weight_bits(layer),
                sqnr_db=sqnr_db(source, after),
                fitted_sqnr_db=sqnr_db(source, after, fitted=True),
                before=Histogram.of(source, bins),
                after=Histogram.of(after, bins),
            )
        )
    return inspections


def sqnr_db(values: Tensor, quantized: Tensor, fitted: bool = False) -> float:
    """Return the signal-to-quantization-noise ratio ``10 log10(Σ w² / Σ (w − q)²)`` in dB; infinite where q is exact.

    With ``fitted``, q is multiplied by ``Σ w q / Σ q²`` first, which makes the noise least. Zeros that are not
    exact have −∞ dB.
    """
    signal, levels = _flat(values), _flat(quantized)
    if fitted and levels.any():
        levels = levels * (signal @ levels / (levels @ levels))
    noise = float(np.square(signal - levels).sum())
    power = float(np.square(signal).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(power / noise) if power else -math.inf


def record_outputs(network: nn.Module, inputs: Tensor, names: Sequence[str]) -> list[LayerOutputs]:
    """Return what the named modules put out while ``network``, in the mode it is in, is called with ``inputs``.

    Raises ``UnknownNameError`` for a name that no module has, and ``ValueError`` for a module that returns no tensor.
    """
    modules = dict(network.named_modules())
    calls: dict[str, list[Tensor]] = {name: [] for name in names}
    for name in calls:
        if name not in modules:
            raise UnknownNameError("layer", name, filter(None, modules))

    def recorder(name: str) -> Any:
        def record(module: nn.Module, given: Any, outputs: Any) -> None:
            if not isinstance(outputs, Tensor):
                raise ValueError(f"{name} returns a {type(outputs).__name__}, not a tensor")
            calls[name].append(outputs.detach().clone())  # the next layer may write into it

        return record

    handles = [modules[name].register_forward_hook(recorder(name)) for name in calls]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [LayerOutputs(name, tuple(found)) for name, found in calls.items()]


def table(inspections: Sequence[LayerInspection]) -> str:
    """Return the layers as a markdown table; empty for none."""
    cells = [
        [
            each.name,
            f"{each.weights:,}",
            f"{each.distinct:,}",
            each.bits,
            _decibels(each.sqnr_db),
            _decibels(each.fitted_sqnr_db),
        ]
        for each in inspections
    ]
    return markdown_table(cells, ["Layer", "Weights", "Distinct", "Bits", "SQNR (dB)", "SQNR fitted (dB)"])


def levels(inspection: LayerInspection) -> str:
    """Return the different values of a layer in a sentence: all of a few, the ends and the step of many."""
    values = [f"{value:.4g}" for value in inspection.values]
    counted = f"`{inspection.name}` has {inspection.distinct:,} different weights"
    if inspection.distinct <= FEW:
        return f"{counted}: {', '.join(values)}."
    steps = np.diff(inspection.values)
    if steps.max() - steps.min() < 1e-3 * steps.mean():
        return f"{counted}: {values[0]} to {values[-1]} in steps of {steps.mean():.4g}."
    return f"{counted}: {', '.join(values[:3])}, …, {values[-1]}."


def outputs_table(outputs: Sequence[LayerOutputs]) -> str:
    """Return a row for each layer that was recorded; empty for none."""
    header = ["Layer", "Shape", "Least", "Mean", "Std", "Largest", "Distinct"]
    rows = []
    for each in outputs:
        values = torch.cat([call.float().reshape(-1) for call in each.calls])
        numbers = [values.min(), values.mean(), values.std(), values.max()]
        shape = " × ".join(map(str, each.calls[0].shape))
        least, mean, std, largest = (f"{float(number):.4g}" for number in numbers)
        rows.append([f"`{each.name}`", shape, least, mean, std, largest, f"{len(np.unique(_flat(values))):,}"])
    return markdown_table(rows, header)


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "∞" if value > 0 else "−∞"


def _float_weight(name: str, layer: LowBitLayer) -> Tensor:
    if layer.frozen is not None:
        raise ValueError(f"{name} is frozen, and its full-precision weights are gone; pass what they were before")
    return layer.weight.detach().clone()


def _given(name: str, layer: LowBitLayer, before: Mapping[str, Tensor]) -> Tensor:
    if name not in before:
        raise ValueError(f"there are no weights of {name} from before")
    if before[name].shape != layer.weight.shape:
        raise ValueError(f"{name} has weights {list(layer.weight.shape)} and had {list(before[name].shape)} before")
    return before[name]


def _flat(values: Tensor) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = values.detach().cpu().double().reshape(-1).numpy()
    return flat
