"""Matrix products with weights of 4 or 8 bits on ONNX Runtime: its operator ``MatMulNBits``.

The operator holds integers and a scale for each block of a column. Its 8-bit kernel is fast only if it may round the
inputs to int8 too, block by block (accuracy level 4), so that both widths are given that level.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.core.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.techniques.lowbit.layers import LowBitLayer

ACCURACY_LEVEL: Final = 4
BLOCK: Final = 32
"""Weights that share a scale of their own."""
LONG_BLOCK: Final = 128
"""The same where all scales of a column are one: longer blocks store it less often."""
TOLERANCE: Final = 1e-3
"""How far a multiple of a step may be from an integer: float32 rounds."""


def quantize_weights(float32: Path, target: Path, bits: int) -> None:
    """Write the model with all of its matrix products by constants in ``bits`` bits, as ONNX Runtime's tool does."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        _of_products(float32).model, bits=bits, block_size=BLOCK, is_symmetric=True, accuracy_level=ACCURACY_LEVEL
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(target))


def store_codes(float32: Path, target: Path, layers: Sequence[LowBitLayer]) -> None:
    """Write the model with the integers of low-bit ``layers`` in the place of the floats that they stand for.

    Raises ``UnsupportedError`` for a layer that is no matrix product, or whose weights are no multiples of a step.
    """
    from onnx import numpy_helper

    model = _of_products(float32)
    values = {value.name: numpy_helper.to_array(value) for value in model.model.graph.initializer}
    products = [node for node in model.nodes() if node.op_type == "MatMul" and node.input[1] in values]
    stored = 0
    for layer in layers:
        weight = layer.weight.detach().numpy()
        for node in products:
            if values[node.input[1]].T.shape == weight.shape and (weight == values[node.input[1]].T).all():
                _replace(model, node, integers(weight, _steps(layer)))
                stored += 1
                break
    if stored < len(layers):
        raise UnsupportedError(
            f"{len(layers) - stored} of its {len(layers)} low-bit layers are no matrix products, and ONNX Runtime has "
            f"no kernel for others; measure it on eager, as a simulation"
        )
    model.clean_initializers()
    model.save_model_to_file(str(target))


class Integers(NamedTuple):
    """Weights as multiples of a step."""

    values: NDArray[np.int64]
    """``(out, in)``."""
    steps: NDArray[np.float32]
    """``(out, 1)``."""
    bits: int
    """4 or 8, as few as hold the values."""


def integers(weight: NDArray[np.float32], steps: NDArray[np.float32]) -> Integers:
    """Return weights, ``(out, in)``, as integers: multiples of the distance of two levels, or of half of it.

    Levels that lie symmetrically about 0 without 0 itself, such as ±1, are odd multiples of half their distance.
    """
    import numpy as np

    for step in (steps, steps / 2):
        multiples = weight / step
        values = np.rint(multiples).astype(np.int64)
        for bits in (4, 8):
            half = 2 ** (bits - 1)
            if np.abs(multiples - values).max() < TOLERANCE and -half <= values.min() and values.max() < half:
                return Integers(values, step.astype(np.float32), bits)
    raise UnsupportedError("its weights are no multiples of a step that 8 bits can count; measure it on eager")


def _steps(layer: LowBitLayer) -> NDArray[np.float32]:
    """Return the distance of two levels in each row of a layer's weights, ``(out, 1)``."""
    import numpy as np

    assert layer.frozen is not None  # noqa: S101 — for the type checker
    codes, weight = layer.frozen.codes.numpy().astype(np.int64), layer.weight.detach().numpy()
    rows = np.arange(len(codes))
    least, most = codes.argmin(axis=1), codes.argmax(axis=1)
    apart = (codes[rows, most] - codes[rows, least]).astype(np.float32)
    steps = (weight[rows, most] - weight[rows, least]) / np.maximum(apart, 1)
    alone = np.where(weight[:, 0] == 0, 1, np.abs(weight[:, 0]))  # a row of one level counts in multiples of it
    return np.where(apart > 0, np.abs(steps), alone).reshape(-1, 1).astype(np.float32)


def _replace(model: Any, product: Any, weights: Integers) -> None:
    """Put a MatMulNBits in the place of a MatMul."""
    import numpy as np
    from onnx import helper, numpy_helper

    rows, columns = weights.values.shape
    blocks = -(-columns // LONG_BLOCK)
    zero = 2 ** (weights.bits - 1)
    codes = np.full((rows, blocks * LONG_BLOCK), zero, np.uint8)
    codes[:, :columns] = weights.values + zero
    packed = codes if weights.bits == 8 else codes[:, ::2] | codes[:, 1::2] << 4
    name = product.input[1]
    scales = np.repeat(weights.steps, blocks, axis=1).reshape(-1)
    model.add_initializer(numpy_helper.from_array(packed.reshape(rows, blocks, -1), f"{name}_codes"))
    model.add_initializer(numpy_helper.from_array(scales, f"{name}_scales"))
    node = helper.make_node(
        "MatMulNBits",
        [product.input[0], f"{name}_codes", f"{name}_scales"],
        list(product.output),
        name=f"{product.name or name}_nbits",
        domain="com.microsoft",
        K=columns,
        N=rows,
        bits=weights.bits,
        block_size=LONG_BLOCK,
        accuracy_level=ACCURACY_LEVEL,
    )
    position = list(model.model.graph.node).index(product)
    model.remove_node(product)
    model.model.graph.node.insert(position, node)


def _of_products(float32: Path) -> Any:
    """Return the model with a MatMul and an Add in the place of each Gemm."""
    import onnx
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = ONNXModel(onnx.load(float32))
    model.replace_gemm_with_matmul()
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import()):
        model.opset_import().extend([onnx.helper.make_opsetid("com.microsoft", 1)])
    return model
