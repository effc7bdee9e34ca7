"""What each layer of a network stores and computes for one example, and in how many bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.measuring.scores import FULL, LayerWork
from bench.techniques.lowbit.layers import LowBitLayer, low_bit_layers

LINEAR = (nn.Linear,)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
FREE = (nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout2d, nn.Sequential)
"""Modules that compute nothing at inference; a Sequential of nothing is a shortcut."""
ADDITIONS = frozenset({"add", "add_", "__add__", "__iadd__", "__radd__"})


def layer_work(network: nn.Module, example: Inputs | Tensor) -> list[LayerWork]:
    """Return each layer's work in the order of the calls, for a batch of one; nothing is computed on meta tensors.

    Low-bit layers, prepared or frozen, have the widths of their technique, other layers those of their tensors, or
    16 bits where the technique stores them as float16. A parameter counts where it is first used. Additions of branches
    are found between the modules; other functions outside modules are not, so that ``F.relu`` counts for nothing.
    Nothing counts as pruned: ``dataclasses.replace`` sets the shares.

    Raises ``ValueError`` for a network in training mode or a batch of another size, and ``UnsupportedError`` for a
    module whose work no rule tells, such as a packed int8 one, or for products made outside the modules.
    """
    if network.training:
        raise ValueError("work is counted as at inference; call eval() first")
    inputs = Inputs.of(example)
    if inputs.batch_size != 1:
        raise ValueError(f"work is counted for a batch of one, not of {inputs.batch_size}")
    _refuse_what_hooks_miss(network)
    ledger = _Ledger(network)
    handles = []
    for module in network.modules():
        if next(module.children(), None) is None:
            handles.append(module.register_forward_pre_hook(ledger.enter))
            handles.append(module.register_forward_hook(ledger.leave))
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter, ledger:
            inputs.call(network)
    finally:
        for handle in handles:
            handle.remove()
    unseen = counter.get_total_flops() // 2 - sum(work.macs for work in ledger.layers)
    if unseen:
        raise UnsupportedError(f"{unseen:,} multiply-accumulates are made outside Linear and convolution layers")
    return ledger.layers


def _refuse_what_hooks_miss(network: nn.Module) -> None:
    """Refuse modules whose work would silently count as none."""
    for name, module in network.named_modules():
        if callable(getattr(module, "weight", None)):
            raise UnsupportedError(f"{_title(name, module)} is packed, and what its kernels compute is not known")
        if any(True for _ in module.children()) and any(True for _ in module.parameters(recurse=False)):
            raise UnsupportedError(f"{_title(name, module)} has both parameters and parts, and no rule counts those")


def stored_weight_bits(layer: LowBitLayer) -> int:
    """Return the width of the weights that ``layer`` computes with at inference.

    It is the technique's, but for stochastic BinaryConnect, which infers with the real weights.
    """
    with torch.no_grad():
        quantized = layer.frozen is not None or layer.quantized_weight() is not layer.weight
    return layer.technique.weight_bits if quantized else FULL


class _Ledger(TorchFunctionMode):
    """Writes down modules as they are called, and the additions between them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layers: list[LayerWork] = []
        self._names = {module: name for name, module in network.named_modules()}
        half = any(layer.technique.rest == "float16" for layer in low_bit_layers(network).values())
        self._rest_bits = 16 if half else 64
        self._counted: set[int] = set()
        self._within = 0
        self._sums = 0

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._within and getattr(func, "__name__", "") in ADDITIONS and isinstance(result, Tensor):
            self._sums += 1
            work = LayerWork(f"sum {self._sums}", "sum", outputs=result.numel(), activation_bits=_bits(result))
            self.layers.append(work)
        return result

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Additions from here on are the module's own."""
        self._within += 1

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
        """Write the module down."""
        work = self._work(self._names[module], module, inputs[0], outputs)
        self._within -= 1
        if work is not None:
            self.layers.append(work)

    def _work(self, name: str, module: nn.Module, inputs: Tensor, outputs: Tensor) -> LayerWork | None:
        title = name or type(module).__name__
        if isinstance(module, (*LINEAR, *CONVOLUTIONS)):
            return self._product(title, module, inputs, outputs)
        if isinstance(module, NORMS):
            others, rest_bits = self._parameters(module, weights=False)
            return LayerWork(
                title,
                "norm",
                others=others,
                rest_bits=rest_bits,
                outputs=outputs.numel(),
                activation_bits=_bits(inputs),
            )
        if isinstance(module, nn.ReLU):
            return LayerWork(title, "relu", outputs=outputs.numel(), activation_bits=_bits(inputs))
        if isinstance(module, POOLS):
            window = _window(module, inputs, outputs)
            return LayerWork(title, "pool", outputs=outputs.numel(), fan_in=window, activation_bits=_bits(inputs))
        if isinstance(module, FREE):
            return None
        raise UnsupportedError(f"{_title(name, module)} is not a layer whose work the rules count")

    def _product(self, title: str, module: nn.Module, inputs: Tensor, outputs: Tensor) -> LayerWork:
        weight = module.weight
        assert isinstance(weight, Tensor)  # noqa: S101
        weights, weight_bits = self._parameters(module, weights=True)
        others, rest_bits = self._parameters(module, weights=False)
        activation_bits, scales, multiplies, adds, quantized = _bits(inputs), 0, 0, 0, False
        if isinstance(module, LowBitLayer):
            weight_bits, rest_bits = stored_weight_bits(module), FULL
            quantized = weight_bits != FULL
            if module.quantizes_inputs:
                activation_bits = module.technique.activation_bits
            scales = _scales(module) if quantized else sum(buffer.numel() for buffer in module.buffers(recurse=False))
            multiplies, adds = _beside(
                module, inputs, outputs, rescaled=bool(scales) or (quantized and weight_bits > 1)
            )
        return LayerWork(
            title,
            "linear" if isinstance(module, LINEAR) else "convolution",
            weights=weights,
            others=others,
            scales=scales,
            outputs=outputs.numel(),
            fan_in=weight[0].numel(),
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            rest_bits=rest_bits,
            biased=module.bias is not None,
            integer=quantized and isinstance(module, LowBitLayer) and module.quantizes_inputs,
            float_multiplies=multiplies,
            float_adds=adds,
        )

    def _parameters(self, module: nn.Module, weights: bool) -> tuple[int, int]:
        """Return how many of the weights, or of the others, were not counted before, and their bits.

        All of a BatchNorm's are others.
        """
        chosen = [
            parameter
            for name, parameter in module.named_parameters(recurse=False)
            if (name == "weight" and not isinstance(module, NORMS)) == weights
        ]
        new = {id(parameter): parameter.numel() for parameter in chosen if id(parameter) not in self._counted}
        self._counted |= new.keys()
        bits = max((_bits(parameter) for parameter in chosen), default=FULL)
        return sum(new.values()), min(bits, self._rest_bits)


def _bits(tensor: Tensor) -> int:
    return 8 * tensor.element_size()


def _window(module: nn.Module, inputs: Tensor, outputs: Tensor) -> int:
    size = getattr(module, "kernel_size", None)
    if size is None:  # adaptive: the windows share the input
        return inputs.numel() // outputs.numel()
    return math.prod(size) if isinstance(size, tuple) else size ** (inputs.dim() - 2)


def _scales(layer: LowBitLayer) -> int:
    """Return how many values ``decode`` needs beside the codes, and the quantizer of the inputs."""
    encoded = layer.frozen or layer.technique.encode(layer.weight.detach().to("meta"))
    values = [*encoded.scales.values(), *layer.buffers(recurse=False)]
    return sum(value.numel() for value in values)


def _beside(layer: LowBitLayer, inputs: Tensor, outputs: Tensor, rescaled: bool) -> tuple[int, int]:
    """Return the float32 multiplies and additions beside the products.

    Integers are brought back to scale by a multiply an output, even where a BatchNorm behind could absorb it.
    XNOR-Net's K is, for each place, the mean magnitude over the channels, a mean over the window, and a multiply an
    output.
    """
    multiplies = outputs.numel() if rescaled or layer.quantizes_inputs else 0
    if getattr(layer.technique, "input_scale", "") != "k" or not layer.quantizes_inputs:
        return multiplies, 0
    channels = inputs.shape[1]
    pixels = inputs.numel() // channels
    places = outputs.numel() // outputs.shape[1]
    window = layer.weight[0, 0].numel()
    magnitudes = inputs.numel() + pixels * channels  # a cleared sign each, their sum, and its division
    means = places * window if window > 1 else 0
    return multiplies + outputs.numel(), magnitudes + means


def _title(name: str, module: nn.Module) -> str:
    return f"{name} ({type(module).__name__})" if name else type(module).__name__
