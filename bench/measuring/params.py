"""Parameters and weight layers, counted in packed int8 modules too.

``sum(p.numel() for p in model.parameters())`` is 0 for a packed module: its weight and bias are reached
through the methods ``weight()`` and ``bias()`` instead. What FX packs of calls such as ``F.linear(inputs, weight)`` are
attributes of the graph's module. Scales and zero points are not parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from bench.core.sharing import distinct
from bench.techniques.lowbit.layers import LowBitLayer

WEIGHT_LAYERS = (
    nn.Linear,
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


def count_parameters(module: nn.Module) -> int:
    """Return the number of weights and biases of ``module`` and all within it, each once if it is shared."""
    return sum(tensor.numel() for tensor in distinct(tensor for part in module.modules() for tensor in _tensors(part)))


def count_weight_layers(module: nn.Module) -> int:
    """Return the number of Linear and convolution layers, packed ones included."""
    return sum(isinstance(part, WEIGHT_LAYERS) or _is_packed(part) for part in module.modules())


def count_plain_layers(module: nn.Module) -> int:
    """Return the number of Linear and convolution layers that still are float32 ones of ``torch.nn``."""
    return sum(
        isinstance(part, WEIGHT_LAYERS)
        and not isinstance(part, LowBitLayer)
        and not type(part).__module__.startswith("torch.ao.")
        and part.weight.dtype == torch.float32
        for part in module.modules()
    )


def is_changed(module: nn.Module) -> bool:
    """Return whether it is a layer of a technique's, which holds its parameters in another form."""
    return isinstance(module, LowBitLayer) or _is_packed(module) or _of_torch_quantization(module)


def _is_packed(module: nn.Module) -> bool:
    return callable(getattr(module, "weight", None)) and callable(getattr(module, "bias", None))


def _of_torch_quantization(module: nn.Module) -> bool:
    return type(module).__module__.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized"))


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    if _is_packed(module):
        yield from _unpacked(module.weight(), module.bias())  # type: ignore[operator]
        return
    if _of_torch_quantization(module):
        if callable(getattr(module, "get_weight", None)):  # an LSTM, a GRU, and their cells
            recurrent: Any = module
            yield from (*recurrent.get_weight().values(), *recurrent.get_bias().values())
            return
        if isinstance(slopes := vars(module).get("weight"), Tensor):  # a PReLU's, which are no parameter there
            yield slopes
    yield from module.parameters(recurse=False)
    if isinstance(module, fx.GraphModule):
        for value in vars(module).values():
            if isinstance(value, torch.ScriptObject) and hasattr(value, "unpack"):
                yield from _unpacked(*value.unpack())


def _unpacked(weight: Tensor, bias: Tensor | None) -> Iterator[Tensor]:
    yield weight
    # qnnpack packs zeros where a layer has no bias and gives them back as one; a trained bias is never all zero.
    if bias is not None and (torch.backends.quantized.engine != "qnnpack" or bias.any()):
        yield bias
