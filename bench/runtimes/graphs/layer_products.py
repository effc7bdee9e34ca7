"""Which products of an exported graph are those of a model's layers.

``torch.onnx`` writes down which module a node comes from, and calls a weight as its parameter. Neither holds for all:
a convolution that a BatchNorm was folded into is said to come from the BatchNorm, and the weight of a Linear layer that
is transposed is a constant without a name. Optimizers rename nodes, or weights, and not both.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.core.errors import UnsupportedError
from bench.runtimes.base import Source
from bench.runtimes.graphs.layer_subset import layers_of, whole
from bench.runtimes.graphs.onnx_export import exported

PRODUCTS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ACTIVATIONS: Final = ("Clip", "Relu")
SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""Of a node: the names of the modules that it comes from, outermost first, and its own."""
MODEL: Final = "model."
"""What the exporter puts before names: ``OnTensors`` holds the model so."""


@dataclass(frozen=True)
class LayerProducts:
    """The products of the layers that a technique is confined to."""

    nodes: frozenset[str]
    """Their names in the exported graph."""
    weights: frozenset[str]
    """The names of their weights."""
    others: frozenset[str]
    """The names of all other products."""

    def holds(self, node: str, weight: str) -> bool:
        """Return whether a product of a graph that was made of the exported one is among them."""
        return node in self.nodes or (node not in self.others and weight in self.weights)

    def require_all(self, products: Collection[object]) -> None:
        """Raise ``UnsupportedError`` unless there are as many as were exported: a layer would silently stay float."""
        if len(products) != len(self.nodes):
            raise UnsupportedError(
                f"of the {len(self.nodes)} products of its layers {len(products)} are left in the optimized graph, "
                f"so that layers cannot be told from each other; measure the mixture on eager"
            )


def layer_products(source: Source) -> LayerProducts | None:
    """Return the products of the layers that the technique is confined to; ``None`` where all may change.

    Raises ``UnsupportedError`` for a layer that is none, such as an LSTM.
    """
    layers = layers_of(source)
    if layers is None:
        return None
    import onnx

    known = set(whole(source.technique).quantizable_layers(source.model()))
    products = [node for node in onnx.load(exported(source)).graph.node if node.op_type in PRODUCTS]
    of_layer = {node.name: _layer(node, known) for node in products}
    if strange := sorted(layers - set(of_layer.values())):
        raise UnsupportedError(
            f"{', '.join(strange)} is no matrix product or convolution with a weight of its own in the exported graph, "
            f"and nothing else is quantized; leave it out, or choose eager"
        )
    chosen = [node for node in products if of_layer[node.name] in layers]
    names = frozenset(node.name for node in chosen)
    return LayerProducts(names, frozenset(node.input[1] for node in chosen), frozenset(of_layer) - names)


def nodes_to_quantize(graph: Any, products: LayerProducts) -> tuple[list[str], list[str]]:
    """Return the names of the products in an optimized ONNX graph, and of what belongs to them.

    That is the bias of a product, which is added to it, and the ReLU that follows: its range is that of the layer.
    """
    chosen = [node for node in graph.node if node.op_type in PRODUCTS and products.holds(node.name, node.input[1])]
    products.require_all(chosen)
    return [node.name for node in chosen], [name for node in chosen for name in _belonging(graph, node)]


def _layer(node: Any, known: Collection[str]) -> str:
    """Return the layer that a product comes from, of those ``known``; otherwise what its weight is called after."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
    for scope in ast.literal_eval(scopes):
        if (name := str(scope).removeprefix(MODEL)) in known:
            return name
    return str(node.input[1]).removeprefix(MODEL).removesuffix(".weight")


def _belonging(graph: Any, product: Any) -> Iterator[str]:
    """Yield the names of the bias and the activation behind a product that nothing else uses."""
    constants = {value.name for value in graph.initializer}
    returned = {value.name for value in graph.output}
    node = product
    while node.output[0] not in returned:
        users = [user for user in graph.node if node.output[0] in user.input]
        if len(users) != 1:
            return
        bias = node.op_type == "MatMul" and users[0].op_type == "Add" and constants.intersection(users[0].input)
        if not bias and users[0].op_type not in ACTIVATIONS:
            return
        node = users[0]
        yield node.name
