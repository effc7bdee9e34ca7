"""ONNX Runtime on the CPU: the model exported by torch, quantized by ONNX Runtime's own tools."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bench.results.isa import int8_sums_saturate
from bench.runtimes.base import RUNTIMES, Built, Runtime, Source, Stored
from bench.runtimes.graphs.onnx_export import EXPORTER, exported, input_names
from bench.runtimes.graphs.packages import missing, quiet, versions
from bench.runtimes.graphs.structure import Structure
from bench.techniques.base import Technique

if TYPE_CHECKING:
    import onnxruntime

    from bench.core.tensors import Inputs

NEEDED: Final = {"onnxruntime": "1.20", **EXPORTER}
CALIBRATION_BATCH: Final = 128
INT8_OPERATORS: Final = ("QLinear", "DynamicQuantize", "MatMulInteger", "ConvInteger", "QGemm", "QAttention")
"""How the names of operators start that compute with int8 numbers."""
PRODUCTS: Final = ("Conv", "FusedConv", "NhwcFusedConv", "MatMul", "Gemm", "FusedMatMul", "FusedGemm")
"""Operators that multiply float matrices."""


class OnnxRuntimeExecutable:
    """A session on a file."""

    input_dtype = "float32"

    def __init__(self, session: onnxruntime.InferenceSession, structure: Structure | None = None) -> None:
        self._session = session
        self._structure = structure or Structure()
        self._inputs = [value.name for value in session.get_inputs()]
        self._outputs = [value.name for value in session.get_outputs()]

    def outputs(self, inputs: Inputs) -> Any:
        """Return the outputs as the model returns them; in a process that has only the file, as a tuple of tensors."""
        import torch

        feeds = {name: value.contiguous().numpy() for name, value in zip(self._inputs, inputs, strict=True)}
        return self._structure.restore([torch.from_numpy(value) for value in self._session.run(None, feeds)])

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return a run on inputs that are bound, so that neither names nor arrays are handled in it."""
        import onnxruntime

        binding = self._session.io_binding()
        for name, value in zip(self._inputs, inputs, strict=True):
            bound = onnxruntime.OrtValue.ortvalue_from_numpy(value.contiguous().numpy())
            binding.bind_ortvalue_input(name, bound)
        for name in self._outputs:
            binding.bind_output(name)
        return functools.partial(self._session.run_with_iobinding, binding)


class OnnxRuntime(Runtime):
    """Executes ``.onnx`` files."""

    name = "onnxruntime"
    summary: ClassVar[str] = "ONNX Runtime on an exported .onnx file, quantized by its own tools"

    def lacks(self, technique: Technique) -> str | None:
        """Return why nobody quantizes that way for it."""
        if technique.name in MAKERS:
            return None
        return f"quantbench makes ONNX files as {', '.join(MAKERS)} only"

    def missing(self) -> str | None:
        """Return which package is missing or too old."""
        return missing(NEEDED, self.name)

    def build(self, source: Source, path: Path) -> Built:
        """Export, quantize, and load what came of it."""
        make, reduce_range = MAKERS[source.technique.name], int8_sums_saturate(source.isa)
        decided_by = (source.technique.name, f"reduce_range {reduce_range}", *versions(NEEDED))

        def quantize(target: Path) -> None:
            with quiet():
                make(source, exported(source), target, reduce_range)

        shutil.copyfile(source.cache().get("model.onnx", decided_by, quantize), path)
        executable = OnnxRuntimeExecutable(_session(path, source.threads), Structure.of(source))
        return Built(executable, path.stat().st_size, notes=_notes(source.technique.name, path, reduce_range))

    def load(self, stored: Stored) -> OnnxRuntimeExecutable:
        """Make a session on the file; with one thread it computes in the calling thread, wherever that is."""
        return OnnxRuntimeExecutable(_session(stored.path, stored.threads))


def _session(path: Path, threads: int, optimized: Path | None = None) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # By default it takes all cores of the machine, those too that this process may not use.
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Idle threads would spin for some 40 ms after a run, into the blocks of other variants.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _fp32(source: Source, float32: Path, target: Path, reduce_range: bool) -> None:
    shutil.copyfile(float32, target)


def _fp16(source: Source, float32: Path, target: Path, reduce_range: bool) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(float32), keep_io_types=True), target)


def _dynamic_qint8(source: Source, float32: Path, target: Path, reduce_range: bool) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Not Conv: its ConvInteger is many times slower than the float convolution (microsoft/onnxruntime#12854).
    quantize_dynamic(
        _preprocessed(float32, target),
        target,
        weight_type=QuantType.QInt8,
        reduce_range=reduce_range,
        op_types_to_quantize=["MatMul", "Gemm"],
    )


def _static_qint8(source: Source, float32: Path, target: Path, reduce_range: bool) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    # Unsigned activations, because a ReLU cannot be a part of a signed quantizer and would leave its layer float.
    quantize_static(
        _preprocessed(float32, target),
        target,
        _Reader(source.calibration()),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )


MAKERS: Final[dict[str, Callable[[Source, Path, Path, bool], None]]] = {
    "fp32": _fp32,
    "fp16": _fp16,
    "dynamic-qint8": _dynamic_qint8,
    "static-qint8": _static_qint8,
}
"""What makes the file of a technique from that of the float32 model."""


def _preprocessed(float32: Path, target: Path) -> Path:
    """Return the float32 model with its BatchNorms folded into convolutions, which quantizers do not do."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path = target.with_name("preprocessed.onnx")
    quant_pre_process(float32, path, skip_symbolic_shape=True)
    return path


class _Reader:
    """Gives calibration batches to ONNX Runtime, as it wants them."""

    def __init__(self, batches: Sequence[Inputs]) -> None:
        self._feeds = self._read(batches)

    def _read(self, batches: Sequence[Inputs]) -> Iterator[dict[str, Any]]:
        for batch in batches:
            for start in range(0, len(batch[0]), CALIBRATION_BATCH):
                part = [value[start : start + CALIBRATION_BATCH] for value in batch]
                yield {name: value.contiguous().numpy() for name, value in zip(input_names(part), part, strict=True)}

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _notes(technique: str, path: Path, reduce_range: bool) -> tuple[str, ...]:
    """Say who quantized, how wide the weights are, and how much of the optimized graph computes with int8 numbers."""
    if technique == "fp32":
        return ()
    if technique == "fp16":
        return ("stored as float16 and computed in float32: ONNX Runtime casts the weights once, when it loads them",)
    kind = "quantize_dynamic, MatMul and Gemm only" if technique == "dynamic-qint8" else "quantize_static, QDQ, MinMax"
    notes: tuple[str, ...] = (f"quantized by ONNX Runtime ({kind})", _int8_operations(path))
    if reduce_range:
        notes += ("weights take 7 of their 8 bits (reduce_range): this CPU has no VNNI and int8 sums could saturate",)
    return notes


def _int8_operations(path: Path) -> str:
    """Count the operations of the graph as ONNX Runtime optimizes it: what a file asks for is not what is computed."""
    import onnx

    optimized = path.with_suffix(".optimized")
    _session(path, 1, optimized)
    try:
        operators = [node.op_type for node in onnx.load(optimized).graph.node]
    finally:
        optimized.unlink()
    int8 = sum(name.startswith(INT8_OPERATORS) for name in operators)
    left = sum(name in PRODUCTS for name in operators)
    return (
        f"int8: {int8} of {len(operators)} operations of the optimized graph; {left} float matrix products and "
        f"convolutions are left"
    )


RUNTIMES.add(OnnxRuntime())
