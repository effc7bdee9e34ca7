"""Techniques on ONNX files, by the tools that come with ONNX Runtime."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.runtimes.base import Source
from bench.runtimes.graphs import matmul_nbits
from bench.runtimes.graphs.layer_products import layer_products, nodes_to_quantize
from bench.runtimes.graphs.onnx_export import export, exported
from bench.techniques.base import Technique
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL

if TYPE_CHECKING:
    from bench.core.inputs import Inputs

CALIBRATION_BATCH: Final = 128


def _fp32(source: Source, target: Path, reduce_range: bool) -> None:
    shutil.copyfile(exported(source), target)


def _fp16(source: Source, target: Path, reduce_range: bool) -> None:
    """Write it in float16; with Transposes in float32 where ONNX Runtime dies of one.

    Release 1.32 does while it makes a session, in ``NchwcTransformer``, which convolutions are much slower without.
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    for in_float32 in (DEFAULT_OP_BLOCK_LIST, [*DEFAULT_OP_BLOCK_LIST, "Transpose"]):
        model = onnx.load(exported(source))
        onnx.save(convert_float_to_float16(model, keep_io_types=True, op_block_list=in_float32), target)
        if _makes_a_session(target):
            break


def _makes_a_session(path: Path) -> bool:
    """Return whether ONNX Runtime loads a file, tried in a process of its own."""
    program = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])"
    tried = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=False)
    return tried.returncode == 0


def _dynamic_qint8(source: Source, target: Path, reduce_range: bool) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = _preprocessed(source, target)
    # Not Conv: its ConvInteger is many times slower than the float convolution (microsoft/onnxruntime#12854).
    quantize_dynamic(
        model,
        target,
        weight_type=QuantType.QInt8,
        reduce_range=reduce_range,
        op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_quantize=_nodes(source, model, dynamic=True),
    )


def _static_qint8(source: Source, target: Path, reduce_range: bool) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = _preprocessed(source, target)
    # Unsigned activations, because a ReLU cannot be a part of a signed quantizer and would leave its layer float.
    quantize_static(
        model,
        target,
        _Reader(source.calibration_batches(CALIBRATION_BATCH)),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=_nodes(source, model, dynamic=False),
        calibrate_method=CalibrationMethod.MinMax,
    )


def _nodes(source: Source, model: Path, *, dynamic: bool) -> list[str] | None:
    """Return the names of the nodes of the layers that the technique is confined to; ``None`` for all nodes."""
    import onnx

    products = layer_products(source)
    if products is None:
        return None
    names, belonging = nodes_to_quantize(onnx.load(model).graph, products)
    # The dynamic quantizer puts a MatMul of this name and an Add in the place of a Gemm.
    return [*names, *(f"{name}_MatMul" for name in names)] if dynamic else [*names, *belonging]


def _weight_only(bits: int) -> Callable[[Source, Path, bool], None]:
    return lambda source, target, reduce_range: matmul_nbits.quantize_weights(exported(source), target, bits)


def _low_bit(source: Source, target: Path, reduce_range: bool) -> None:
    from bench.techniques.lowbit.layers import low_bit_layers

    module = source.convert().module
    path = target.with_name("low-bit.onnx")
    export(module, source.inputs(2), path)
    matmul_nbits.store_codes(path, target, list(low_bit_layers(module).values()))


MAKERS: Final[dict[str, Callable[[Source, Path, bool], None]]] = {
    "fp32": _fp32,
    "fp16": _fp16,
    "dynamic-qint8": _dynamic_qint8,
    "static-qint8": _static_qint8,
    "weight-only-int8": _weight_only(8),
    "weight-only-int4": _weight_only(4),
}
"""What makes the file of a technique; see ``maker``."""
QUANTIZED: Final = {
    "dynamic-qint8": "quantize_dynamic, MatMul and Gemm only",
    "static-qint8": "quantize_static, QDQ, MinMax",
    "weight-only-int8": "MatMulNBits, blocks of 32 weights",
    "weight-only-int4": "MatMulNBits, blocks of 32 weights",
}
"""By which of the tools, and how."""
ROUNDED: Final = "MatMulNBits rounds the inputs of its products to int8, in blocks with a scale each"


def maker(technique: Technique) -> Callable[[Source, Path, bool], None] | None:
    """Return what makes the file of a technique; ``None`` if nothing does.

    Of the low-bit family there is a kernel for weights of up to 8 bits beside activations in float32.
    """
    if isinstance(technique, LowBit) and technique.weight_bits <= 8 and technique.activation_bits == FULL:
        return _low_bit
    return MAKERS.get(technique.name)


def _preprocessed(source: Source, target: Path) -> Path:
    """Return the float32 model with its BatchNorms folded into convolutions, which quantizers do not do."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path = target.with_name("preprocessed.onnx")
    quant_pre_process(exported(source), path, skip_symbolic_shape=True)
    return path


class _Reader:
    """Gives calibration batches to ONNX Runtime, as it wants them."""

    def __init__(self, batches: Iterator[Inputs]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        return {name: value.numpy() for name, value in zip(batch.names, batch.tensors, strict=True)}


def maker_notes(technique: str, reduce_range: bool) -> tuple[str, ...]:
    """Return who quantized, and how wide the weights are."""
    if technique not in MAKERS:
        return ("its codes are stored in 4 or 8 bits and multiplied as they are: no simulation", ROUNDED)
    if technique == "fp16":
        return ("stored as float16 and computed in float32: ONNX Runtime casts the weights once, when it loads them",)
    if technique not in QUANTIZED:
        return ()
    notes: tuple[str, ...] = (f"quantized by ONNX Runtime ({QUANTIZED[technique]})",)
    if technique.startswith("weight-only"):
        return (*notes, ROUNDED)
    if reduce_range:
        notes += ("weights take 7 of their 8 bits (reduce_range): this CPU has no VNNI and int8 sums could saturate",)
    return notes
