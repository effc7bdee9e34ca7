"""What layers put out, and what they multiply, while a network is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.core.errors import UnknownNameError
from bench.core.inputs import Inputs
from bench.results.inspection import OutputStatistics
from bench.techniques.lowbit.layers import LowBitLayer


def record_outputs(network: nn.Module, inputs: Inputs | Tensor, names: Sequence[str]) -> dict[str, list[Tensor]]:
    """Return what the named modules put out while ``network``, in the mode it is in, is called with ``inputs``.

    One tensor a call, copied, on the device they were made on; none for a module that was not called.
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
            Inputs.of(inputs).call(network)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def record_activations(network: nn.Module, inputs: Inputs | Tensor, names: Sequence[str]) -> dict[str, list[Tensor]]:
    """Return the quantized inputs of the named layers, as they are multiplied by the weights, in the same way.

    Of those layers alone whose inputs a low-bit technique quantizes: no module puts these values out.
    """
    layers = {
        name: layer
        for name in names
        if isinstance(layer := network.get_submodule(name), LowBitLayer) and layer.quantizes_inputs
    }
    calls: dict[str, list[Tensor]] = {name: [] for name in layers}

    def recorder(name: str, operate: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def record(values: Tensor, *rest: Any, **options: Any) -> Tensor:
            calls[name].append(values.detach().clone())
            return operate(values, *rest, **options)

        return record

    for name, layer in layers.items():
        vars(layer)["operate"] = recorder(name, layer.operate)  # of this layer alone; its class keeps the method
    try:
        with torch.no_grad():
            Inputs.of(inputs).call(network)
    finally:
        for layer in layers.values():
            vars(layer).pop("operate", None)
    return {name: values for name, values in calls.items() if values}


def output_statistics(outputs: Mapping[str, Sequence[Tensor]]) -> list[OutputStatistics]:
    """Return what was recorded, summed up by layer."""
    statistics = []
    for name, calls in outputs.items():
        values = torch.cat([call.float().reshape(-1) for call in calls])
        statistics.append(
            OutputStatistics(
                name=name,
                shape=tuple(calls[0].shape),
                least=float(values.min()),
                mean=float(values.mean()),
                std=float(values.std()),
                largest=float(values.max()),
                distinct=len(set(values.tolist())),
            )
        )
    return statistics
