"""What a low-bit technique makes of each layer's weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.measuring.layer_work import stored_weight_bits
from bench.results.inspection import Histogram, LayerInspection
from bench.techniques.lowbit import learned_clip
from bench.techniques.lowbit.layers import LowBitLayer, low_bit_layers

BINS = 60


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
                values=np.unique(_flat(after)).tolist(),
                bits=stored_weight_bits(layer),
                sqnr_db=sqnr_db(source, after),
                fitted_sqnr_db=sqnr_db(source, after, fitted=True),
                before=histogram_of(source, bins),
                after=histogram_of(after, bins),
                clip=learned_clip.level(layer),
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


def histogram_of(values: Tensor, bins: int = BINS) -> Histogram:
    """Count ``values`` between their least and their largest; raises ``ValueError`` where one is not finite."""
    counts, edges = np.histogram(_flat(values), bins=bins)
    return Histogram(counts.tolist(), edges.tolist())


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
