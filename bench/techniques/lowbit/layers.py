"""Linear and convolution layers whose weights and inputs a low-bit technique quantizes.

While a network is trained a layer holds full-precision weights, from which each forward pass makes quantized ones.
Frozen, it holds what the codes stand for, and its state dict has the codes as bits and the scales in their place.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.core.class_names import class_title
from bench.core.errors import UnsupportedError
from bench.techniques import fast_path
from bench.techniques.lowbit import bitpack
from bench.techniques.lowbit.codes import FULL, Encoded, Quantizer

KINDS = (nn.Linear, nn.Conv2d)
"""The types that can be quantized; subclasses may compute something else and are left alone."""
SCALES = "scale_"
"""Before the names of scales in a state dict."""


class LowBitLayer(nn.Module):
    """What both kinds share; beside it in the bases stands a layer of ``torch.nn``."""

    weight: Tensor
    bias: Any
    technique: Quantizer
    is_first: bool
    """Of the network: its inputs are the data."""
    is_end: bool
    """Whether it is the first or the last layer and ``technique.at_ends`` quantizes it."""
    frozen: Encoded | None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the layer's outputs for inputs as its float form takes them."""
        return self.technique.forward(self, inputs, self.quantized_weight())

    @property
    def quantizes_inputs(self) -> bool:
        """Whether the technique quantizes what the layer is given."""
        return self.technique.activation_bits != FULL and not self.is_first

    def quantized_weight(self) -> Tensor:
        """Return the weights that the layer multiplies by."""
        return self.weight if self.frozen is not None else self.quantize(self.weight)

    def quantize(self, weight: Tensor) -> Tensor:
        """Return what the technique makes of full-precision weights."""
        return weight if self.technique.weight_bits == FULL else self.technique.weight(weight)

    def operate(self, inputs: Tensor, weight: Tensor, with_bias: bool = True) -> Tensor:
        """Multiply or convolve, and add the bias."""
        raise NotImplementedError

    def after_step(self, weight: Tensor | None = None) -> None:
        """Let the technique change the full-precision weights; the training loop calls it after each step."""
        with torch.no_grad():
            self.technique.after_step(self, self.weight if weight is None else weight)

    def freeze(self) -> None:
        """Fix the weights to what their codes stand for; they cannot be trained any more."""
        if self.technique.weight_bits != FULL and self.frozen is None:
            with torch.no_grad():
                self._take(self.technique.encode(self.weight.detach()))

    def _take(self, encoded: Encoded) -> None:
        # On the CPU wherever the model is: a reloaded file is decoded there, and a GPU may divide differently.
        self.frozen = Encoded(encoded.codes.cpu(), {name: scale.cpu() for name, scale in encoded.scales.items()})
        weight = self.technique.decode(self.frozen).to(self.weight.device)
        # In the memory format that the weights had: kernels may differ in the last bit by it.
        fixed = torch.empty_like(self.weight).copy_(weight)
        self.weight = nn.Parameter(fixed, requires_grad=False)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.frozen is not None:
            del destination[prefix + "weight"]
            destination[prefix + "codes"] = bitpack.pack(self.frozen.codes, self.technique.weight_bits)
            for name, scale in self.frozen.scales.items():
                destination[prefix + SCALES + name] = scale

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if self.frozen is not None and prefix + "codes" in state_dict:
            codes = bitpack.unpack(state_dict.pop(prefix + "codes"), self.technique.weight_bits, self.weight.shape)
            scales = {name: state_dict.pop(prefix + SCALES + name) for name in self.frozen.scales}
            with torch.no_grad():
                self._take(Encoded(codes, scales))
            state_dict[prefix + "weight"] = self.weight.detach()
        super()._load_from_state_dict(state_dict, prefix, *rest)


class LowBitLinear(LowBitLayer, nn.Linear):
    """A Linear layer."""

    def operate(self, inputs: Tensor, weight: Tensor, with_bias: bool = True) -> Tensor:
        """Return ``inputs @ weight.T + bias``."""
        return F.linear(inputs, weight, self.bias if with_bias else None)


class LowBitConv2d(LowBitLayer, nn.Conv2d):
    """A convolution."""

    def operate(self, inputs: Tensor, weight: Tensor, with_bias: bool = True) -> Tensor:
        """Return the convolution of ``inputs``, ``(batch, in, height, width)``."""
        outputs: Tensor = self._conv_forward(inputs, weight, self.bias if with_bias else None)
        return outputs


CLASSES: dict[type[nn.Module], type[LowBitLayer]] = {nn.Linear: LowBitLinear, nn.Conv2d: LowBitConv2d}


def replace(network: nn.Module, technique: Quantizer, only: Collection[str] | None = None) -> nn.Module:
    """Return the network, changed in place, with low-bit layers for those that ``technique`` quantizes.

    With ``only``, for those of them that it names. A layer that stands in several places of the network is one low-bit
    layer in all of them.
    """
    weight_layers = _weight_layers(network)
    chosen = [layer for name, layer in _quantizable_layers(weight_layers, technique) if only is None or name in only]
    ends = [id(layer) for _, layer in _ends(weight_layers, technique)]
    first = weight_layers[0][1] if weight_layers else None
    new = {id(layer): _low_bit(layer, technique, is_first=layer is first, is_end=id(layer) in ends) for layer in chosen}
    for parent in list(network.modules()):
        places = {name: child for name, child in parent._modules.items() if id(child) in new}
        for name, child in places.items():
            setattr(parent, name, new[id(child)])
        if places and technique.replaces_relu:
            for name, child in parent.named_children():
                if isinstance(child, nn.ReLU):
                    setattr(parent, name, nn.Identity())
    fast_path.leave(network)
    return new.get(id(network), network)


def none_of(network: nn.Module, family: str) -> str:
    """Say that a network has no layer to quantize, and which layers it has."""
    kinds = sorted(
        {class_title(type(part)) for part in network.modules() if any(True for _ in part.parameters(recurse=False))}
    )
    left = f"; it leaves {', '.join(kinds)} alone" if kinds else ""
    names = " and ".join(kind.__name__ for kind in KINDS)
    return f"{family} quantizes {names} layers, and this model has none that it may change{left}"


def quantizable_layers(network: nn.Module, technique: Quantizer) -> list[str]:
    """Return the names of the layers that ``replace`` would replace."""
    return [name for name, _ in _quantizable_layers(_weight_layers(network), technique)]


def _weight_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the layers of a known kind, and those that another technique made of one: the first remains the first."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if type(module) in KINDS or isinstance(module, LowBitLayer) or callable(getattr(module, "weight", None))
    ]


def _quantizable_layers(layers: list[tuple[str, nn.Module]], technique: Quantizer) -> list[tuple[str, nn.Module]]:
    chosen = {name for name, _ in [*_chosen(layers, technique), *_ends(layers, technique)]}
    return [(name, layer) for name, layer in layers if name in chosen and type(layer) in KINDS]


def _ends(layers: list[tuple[str, nn.Module]], technique: Quantizer) -> list[tuple[str, nn.Module]]:
    """Return the first and the last layer if they have a width of their own."""
    return [layers[0], layers[-1]] if technique.at_ends is not None and layers else []


def _chosen(layers: list[tuple[str, nn.Module]], technique: Quantizer) -> list[tuple[str, nn.Module]]:
    if technique.layers == "all" or not any(isinstance(layer, nn.Conv2d) for _, layer in layers):
        return layers
    inner = layers[1:-1]
    if technique.layers == "projections":
        return inner
    return [(name, layer) for name, layer in inner if not _is_projection(layer)]


def _is_projection(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)


def _low_bit(layer: nn.Module, technique: Quantizer, is_first: bool, is_end: bool) -> LowBitLayer:
    """Return the layer's low-bit form, which shares its parameters."""
    new = CLASSES[type(layer)].__new__(CLASSES[type(layer)])
    new.__dict__.update(layer.__dict__)
    for registry in ("_parameters", "_buffers", "_modules"):
        new.__dict__[registry] = dict(layer.__dict__[registry])
    new.is_first = is_first
    new.is_end = is_end
    new.technique = _technique_of(new, technique)
    new.frozen = None
    new.technique.new_layer(new)
    new.technique.start(new)
    return new


def _technique_of(layer: LowBitLayer, technique: Quantizer) -> Quantizer:
    return technique.at_ends or technique if layer.is_end else technique


def low_bit_layers(network: nn.Module) -> dict[str, LowBitLayer]:
    """Return the low-bit layers by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, LowBitLayer)}


def freeze(network: nn.Module, technique: Quantizer) -> None:
    """Fix the weights of all low-bit layers, and round the others' values as ``technique.rest`` says."""
    for layer in low_bit_layers(network).values():
        layer.technique = _technique_of(layer, technique)  # its options for after the training may differ
        layer.freeze()
    round_rest(network, technique)


def round_rest(network: nn.Module, technique: Quantizer) -> None:
    """Round the values of layers that are not low-bit, where ``technique.rest`` asks for it.

    Raises ``UnsupportedError`` for a value that would become infinite.
    """
    if technique.rest == "float16":
        with torch.no_grad():
            for name, module in network.named_modules():
                if isinstance(module, LowBitLayer):
                    continue
                for value in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                    if value.is_floating_point():
                        value.copy_(_half(value, name))


def _half(value: Tensor, layer: str) -> Tensor:
    half = value.half()
    if (half.isinf() & value.isfinite()).any():
        largest = value[value.isfinite()].abs().max().item()
        where = layer or "the model"
        raise UnsupportedError(f"{where} holds {largest:,.0f}, and float16 ends at 65,504; leave float16 out")
    return half
