"""What of a model is quantized alone, and spared alone: a layer, a block of layers, or a stage of blocks.

Only the names and the widths of layers are looked at. A *block* is the innermost module that holds several layers. A
*stage* is the outermost such module; where its blocks have different widths, as those of a ResNet in one sequence, it
is a run of neighbours of one width. The model itself is neither, and a layer in no such module stands alone.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core.errors import RequestError
from bench.worker.messages import QuantizableLayer

By = Literal["layer", "block", "stage"]


@dataclass(frozen=True)
class Part:
    """Layers that are quantized together."""

    name: str
    modules: tuple[str, ...]
    """What stands for them in a mixture: their own names, or those of modules that hold them and no others."""
    layers: tuple[QuantizableLayer, ...]

    @property
    def weights(self) -> int:
        """Return the weights and biases of all."""
        return sum(layer.weights for layer in self.layers)

    @property
    def kind(self) -> str:
        """Return the classes of its layers."""
        return ", ".join(dict.fromkeys(layer.kind for layer in self.layers))

    def among(self, names: Collection[str]) -> Part | None:
        """Return the part with those of its layers that have these names; ``None`` if none has."""
        layers = tuple(layer for layer in self.layers if layer.name in names)
        return dataclasses.replace(self, layers=layers) if layers else None


def parts_of(layers: Sequence[QuantizableLayer], by: By, model: str) -> list[Part]:
    """Return the parts of a model, whose layers are in its order.

    Raises ``RequestError`` where no block or stage has several layers.
    """
    if by == "layer":
        return [Part(layer.name, (layer.name,), (layer,)) for layer in layers]
    places = _blocks(layers) if by == "block" else _stages(layers)
    parts = []
    for modules in dict.fromkeys(places.values()):
        inside = tuple(layer for layer in layers if places[layer.name] == modules)
        alone = all(places[layer.name] == modules for layer in layers if _in_any(layer.name, modules))
        name = modules[0] if len(modules) == 1 else f"{modules[0]} to {modules[-1]}"
        parts.append(Part(name, modules if alone else tuple(layer.name for layer in inside), inside))
    if len(parts) == len(layers):
        raise RequestError(f"{model} has no {by} of several layers that change, beside the whole; leave --by {by} out.")
    return parts


def _blocks(layers: Sequence[QuantizableLayer]) -> Mapping[str, tuple[str, ...]]:
    """Return the block of each layer, or the layer itself."""
    names = [layer.name for layer in layers]
    return {name: _around(name, names)[-1:] or (name,) for name in names}


def _stages(layers: Sequence[QuantizableLayer]) -> Mapping[str, tuple[str, ...]]:
    """Return the modules of each layer's stage, or the layer itself."""
    names = [layer.name for layer in layers]
    outputs = {layer.name: layer.outputs for layer in layers}
    stages: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    for outermost in dict.fromkeys(around[0] for name in names if (around := _around(name, names))):
        inside = [name for name in names if _in_any(name, (outermost,))]
        depth = outermost.count(".") + 2
        blocks = list(dict.fromkeys(".".join(name.split(".")[:depth]) for name in inside))
        widths = {block: [outputs[name] for name in inside if _in_any(name, (block,))][-1] for block in blocks}
        runs = [tuple(run) for _, run in itertools.groupby(blocks, key=widths.__getitem__)]
        for run in runs if len(runs) > 1 else [(outermost,)]:
            stages.update((name, run) for name in inside if _in_any(name, run))
    return stages


def _around(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the modules around a layer that hold several layers, and not all, the outermost first."""
    steps = name.split(".")
    modules = (".".join(steps[:depth]) for depth in range(1, len(steps)))
    return tuple(module for module in modules if 1 < sum(_in_any(other, (module,)) for other in names) < len(names))


def _in_any(name: str, modules: Sequence[str]) -> bool:
    """Say whether a layer is one of these, or in one."""
    return any(f"{name}.".startswith(f"{module}.") for module in modules)
