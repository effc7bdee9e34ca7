"""Three rules that make one number of a compressed network's storage and work; the lower, the better.

| rule | source | work is counted in | fp16 ResNet-18 |
|---|---|---|---|
| ``course-2025`` | brain-bzh/efficient-deep-learning, lab4.md | multiply-accumulates | 2, on CIFAR-10 |
| ``course-profile`` | the same, micronet-ressources/profile.py, older | multiplies and additions | 2, on CIFAR-10 |
| ``micronet-2019`` | micronet-challenge.github.io | multiplies and additions, by their inputs' width | – |

Their references and units differ: a score is only to be held against others of its own rule, and so carries its name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

FULL: Final = 32
"""Bits of what counts as one parameter, or as one operation."""

Kind = Literal["convolution", "linear", "norm", "relu", "pool", "sum"]
"""``norm`` is a BatchNorm, ``sum`` an elementwise addition of two branches."""
Accumulator = Literal["fp32", "int", "tree"]
"""What adds up products of integers; see ``micronet_2019``."""


@dataclass(frozen=True)
class LayerWork:
    """What one layer stores, and what it computes for one example."""

    name: str
    kind: Kind
    weights: int = 0
    """Parameters of ``weight_bits``: those that a convolution or Linear multiplies by."""
    others: int = 0
    """Parameters of ``rest_bits``: biases, BatchNorm's factors and terms, learned clipping levels."""
    scales: int = 0
    """Float32 values that quantized weights and inputs need and that are not parameters."""
    outputs: int = 0
    """Elements."""
    fan_in: int = 0
    """Products that are added up for one output; of a pool, the elements behind one output."""
    weight_bits: int = FULL
    activation_bits: int = FULL
    """Of the layer's inputs."""
    rest_bits: int = FULL
    biased: bool = False
    """Whether a bias is added to each output."""
    integer: bool = False
    """Whether weights and inputs both are integers up to a factor, so that products can be added up as integers."""
    float_multiplies: int = 0
    """Float32 multiplications beside the products: outputs brought back to scale."""
    float_adds: int = 0
    """Float32 additions beside those of products and biases: XNOR-Net's K."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"{self.name}: there is no kind of layer {self.kind!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_bits") and not 1 <= value <= 64:
                raise ValueError(f"{self.name}: {field.name} is 1 to 64, not {value}")
            if isinstance(value, int | float) and not 0 <= value < math.inf:
                raise ValueError(f"{self.name}: {field.name} is not negative, and finite; it cannot be {value}")
        if self.multiplies_weights and self.outputs and not self.fan_in:
            raise ValueError(f"{self.name}: outputs that are the sum of no products")

    @property
    def multiplies_weights(self) -> bool:
        """Whether it is a convolution or a Linear."""
        return self.kind in ("convolution", "linear")

    @property
    def params(self) -> int:
        """Parameters of any width."""
        return self.weights + self.others

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return self.outputs * self.fan_in if self.multiplies_weights else 0

    @property
    def parameter_bits(self) -> int:
        """What the parameters take in storage."""
        return self.weights * self.weight_bits + self.others * self.rest_bits

    @property
    def widest_input(self) -> int:
        """The bits of the wider factor of its products."""
        return max(self.weight_bits, self.activation_bits)


@dataclass(frozen=True)
class Reference:
    """What storage and work are divided by."""

    parameters: float
    """In 32-bit parameters."""
    operations: float
    """In the rule's own unit."""


@dataclass(frozen=True)
class Score:
    """A network under one rule."""

    rule: str
    """Its name, and whatever else the number depends on."""
    parameters: float
    """Storage over the reference's."""
    operations: float
    """Work over the reference's."""

    @property
    def value(self) -> float:
        """The sum of both."""
        return self.parameters + self.operations


COURSE_2025 = Reference(5.6e6, 2.8e8)
"""ResNet-18 in half precision, rounded: 11,173,962 / 2 parameters and 555,422,720 / 2 multiply-accumulates."""
COURSE_PROFILE = Reference(5_586_981, 834_362_880)
"""The same, summed up in float32 by the script."""
MICRONET_2019 = Reference(36.5e6, 10.49e9)
"""WRN-28-10 on CIFAR-100; the challenge had no CIFAR-10."""


def course_2025(layers: Sequence[LayerWork]) -> Score:
    """Return ``(q_w/32) w / 5.6e6 + (max(q_w, q_a)/32) f / 2.8e8``, layer by layer.

    w are parameters, f multiply-accumulates; the rule's terms for pruning are left out, as nothing here prunes. It is
    written for one width a network; summed over layers, those that stay in full precision count in full. Source:
    lab4.md of 2025, brain-bzh/efficient-deep-learning 1d41652. Raises ``ValueError`` for no layers.
    """
    _require(layers)
    bits = sum(layer.parameter_bits for layer in layers)
    work = sum(layer.widest_input * layer.macs for layer in layers)
    return Score("course-2025", bits / FULL / COURSE_2025.parameters, work / FULL / COURSE_2025.operations)


def course_profile(layers: Sequence[LayerWork]) -> Score:
    """Return ``params / qf`` and ``multiplies / qf + additions`` over those of ResNet-18; qf is 32 / bits.

    An output of a convolution or Linear is n multiplies and n − 1 additions, of full width whatever is added; a
    convolution's bias is one more. BatchNorm is 3 operations an element, ReLU 1, a pool of k × k is k²; sums of
    branches and what is not a module are not counted. A multiply has the width of its wider factor.

    Source: micronet-ressources/profile.py, brain-bzh/efficient-deep-learning 0ab757d~1; there qf is one for the
    network. Raises ``ValueError`` for no layers.
    """
    _require(layers)
    bits = sum(layer.parameter_bits for layer in layers)
    work = sum(_profiled(layer) for layer in layers)
    return Score("course-profile, cifar10", bits / FULL / COURSE_PROFILE.parameters, work / COURSE_PROFILE.operations)


def _profiled(layer: LayerWork) -> float:
    if layer.multiplies_weights:
        bias = int(layer.biased and layer.kind == "convolution")
        return layer.outputs * (layer.fan_in * layer.widest_input / FULL + layer.fan_in - 1 + bias)
    return layer.outputs * {"norm": 3, "relu": 1, "pool": layer.fan_in}.get(layer.kind, 0)


def micronet_2019(layers: Sequence[LayerWork], accumulator: Accumulator = "fp32") -> Score:
    """Return storage and operations of the MicroNet challenge over those of WRN-28-10.

    A parameter counts bits / 32, and so does every value that inference needs. Multiplies and additions count apart,
    each the bits of its widest input / 32; a weight of ±1 times a float is a sign bit, 1 / 32. BatchNorm counts as its
    fold, one multiply and one addition an element; ReLU one multiply
    (google-research/micronet_challenge/counting.py); conversions to fewer bits are not tallied.

    ``accumulator`` is what adds up products of integers of ``w + a`` bits, and decides much of the score: ``fp32``;
    ``int``, as wide as the whole sum can get; ``tree``, whose levels widen by a bit each (peiswang/MicroNetChallenge,
    flops_utils_final.py). None is charged more than 32 bits. What is not an integer is added up in fp32.

    The challenge's freebie, 16 bits for whatever is not quantized, is left out: it would make a float network's score
    one of another rule than those it stands beside. Source: micronet-challenge.github.io, scoring_and_submission.
    Raises ``ValueError`` for no layers.
    """
    _require(layers)
    bits = sum(_stored_bits(layer) for layer in layers)
    work = sum(_operation_bits(layer, accumulator) for layer in layers)
    rule = f"micronet-2019, cifar100, {accumulator}"
    return Score(rule, bits / FULL / MICRONET_2019.parameters, work / FULL / MICRONET_2019.operations)


def every_rule(layers: Sequence[LayerWork]) -> list[Score]:
    """Return a network's scores under all rules, MicroNet's with each accumulator; none for no layers."""
    if not layers:
        return []
    return [
        course_2025(layers),
        course_profile(layers),
        *(micronet_2019(layers, accumulator) for accumulator in get_args(Accumulator)),
    ]


def _stored_bits(layer: LayerWork) -> int:
    return layer.parameter_bits + FULL * layer.scales


def _operation_bits(layer: LayerWork, accumulator: Accumulator) -> int:
    """Return the operations, each times the bits it counts."""
    beside = FULL * (layer.float_multiplies + layer.float_adds)
    if layer.multiplies_weights:
        sign_alone = layer.weight_bits == 1 and not layer.integer
        multiplies = layer.fan_in * (1 if sign_alone else layer.widest_input)
        return layer.outputs * (multiplies + _sum_bits(layer, accumulator) + FULL * layer.biased) + beside
    operations = {"relu": 1, "sum": 1, "norm": 2}.get(layer.kind, layer.fan_in)  # a pool adds and divides
    return layer.outputs * operations * layer.activation_bits + beside


def _sum_bits(layer: LayerWork, accumulator: Accumulator) -> int:
    """Return the additions behind one output, each times the bits it counts."""
    products = layer.fan_in
    additions = max(products - 1, 0)
    if accumulator == "fp32" or not layer.integer:
        return additions * FULL
    width = layer.weight_bits + layer.activation_bits
    if accumulator == "int":
        return additions * min(FULL, width + math.ceil(math.log2(max(products, 1))))
    bits = 0
    while products > 1:
        bits += products // 2 * min(FULL, width)
        products, width = math.ceil(products / 2), width + 1
    return bits


def _require(layers: Sequence[LayerWork]) -> None:
    if not layers:
        raise ValueError("no layers to score")
