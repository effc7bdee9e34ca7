"""ONNX Runtime on the CPU: the model exported by torch, quantized by ONNX Runtime's own tools."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bench.results.isa import int8_sums_saturate
from bench.results.row import Int8Operations
from bench.runtimes.base import RUNTIMES, Built, Runtime, Source, Stored
from bench.runtimes.deployment import Deployed
from bench.runtimes.graphs import int8_operations
from bench.runtimes.graphs.answers import require_answers
from bench.runtimes.graphs.int8_operations import Operation
from bench.runtimes.graphs.layer_subset import lacks_mixture, whole
from bench.runtimes.graphs.onnx_export import EXPORTER
from bench.runtimes.graphs.onnx_techniques import MAKERS, QUANTIZED, maker, maker_notes
from bench.runtimes.graphs.packages import missing, quiet, versions
from bench.runtimes.graphs.structure import Structure
from bench.techniques.base import Artifact, Technique
from bench.techniques.low_bit import LowBit
from bench.techniques.mixed import Mixed

if TYPE_CHECKING:
    import onnxruntime
    from torch import Tensor

    from bench.core.inputs import Inputs

NEEDED: Final = {"onnxruntime": "1.20", **EXPORTER}
INT8_OPERATORS: Final = (
    "QLinear",
    "DynamicQuantize",
    "MatMulInteger",
    "ConvInteger",
    "QGemm",
    "QAttention",
    "MatMulNBits",
)
"""How the names of operators start that compute with int8 numbers."""
PRODUCTS: Final = ("Conv", "FusedConv", "NhwcFusedConv", "MatMul", "Gemm", "FusedMatMul", "FusedGemm")
"""Operators that multiply float matrices."""
LOAD: Final = """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = {threads}
session = onnxruntime.InferenceSession(Path(__file__).with_name("model.onnx"), options, ["CPUExecutionProvider"])
"""
PREDICT: Final = """
return session.run(None, {value.name: array for value, array in zip(session.get_inputs(), inputs)})
"""


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

        feeds = {name: value.contiguous().numpy() for name, value in self._named(inputs)}
        return self._structure.restore([torch.from_numpy(value) for value in self._session.run(None, feeds)])

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return a run on inputs that are bound, so that neither names nor arrays are handled in it."""
        import onnxruntime

        binding = self._session.io_binding()
        for name, value in self._named(inputs):
            bound = onnxruntime.OrtValue.ortvalue_from_numpy(value.contiguous().numpy())
            binding.bind_ortvalue_input(name, bound)
        for name in self._outputs:
            binding.bind_output(name)
        return functools.partial(self._session.run_with_iobinding, binding)

    def _named(self, inputs: Inputs) -> Iterator[tuple[str, Tensor]]:
        return zip(self._inputs, inputs.ordered(self._inputs), strict=True)


class OnnxRuntime(Runtime):
    """Executes ``.onnx`` files."""

    name = "onnxruntime"
    summary: ClassVar[str] = "ONNX Runtime on an exported .onnx file, quantized by its own tools"

    def lacks(self, technique: Technique) -> str | None:
        """Return why nobody quantizes that way for it."""
        if isinstance(technique, Mixed):
            return lacks_mixture(technique, self.lacks)
        if maker(technique) is not None:
            return None
        low_bit = "its MatMulNBits multiplies weights of 1 to 8 bits by float32 activations only, as of dorefa:w4"
        return low_bit if isinstance(technique, LowBit) else f"quantbench makes ONNX files as {', '.join(MAKERS)} only"

    def missing(self) -> str | None:
        """Return which package is missing or too old."""
        return missing(NEEDED, self.name)

    def build(self, source: Source, path: Path) -> Built:
        """Export, quantize, and load what came of it."""
        technique, reduce_range = whole(source.technique), int8_sums_saturate(source.isa)
        make = maker(technique)
        assert make is not None  # noqa: S101 — ``lacks`` was asked
        decided_by = (source.technique.name, f"reduce_range {reduce_range}", *versions(NEEDED))

        def quantize(target: Path) -> None:
            with quiet():
                make(source, target, reduce_range)

        shutil.copyfile(source.cache().get("model.onnx", decided_by, quantize), path)
        notes = maker_notes(technique.name, reduce_range)
        quantized = technique.name in QUANTIZED or isinstance(technique, LowBit)
        int8 = _int8_operations(path) if quantized else None
        executable = OnnxRuntimeExecutable(_session(path, source.threads), Structure.of(source))
        require_answers(executable, source, self.name)
        return Built(executable, path.stat().st_size, int8_operations=int8, notes=notes)

    def load(self, stored: Stored) -> OnnxRuntimeExecutable:
        """Make a session on the file; with one thread it computes in the calling thread, wherever that is."""
        return OnnxRuntimeExecutable(_session(stored.path, stored.threads))

    def deploy(self, stored: Stored, artifact: Artifact | None, example: Inputs, folder: Path) -> Deployed:
        """Copy the file."""
        shutil.copyfile(stored.path, folder / "model.onnx")
        return Deployed(("model.onnx",), ("onnxruntime",), LOAD.format(threads=stored.threads), PREDICT)


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


def _int8_operations(path: Path) -> Int8Operations:
    """Read the graph as ONNX Runtime optimizes it."""
    import onnx

    optimized = path.with_suffix(".optimized")
    _session(path, 1, optimized)
    try:
        operators = [node.op_type for node in onnx.load(optimized).graph.node]
    finally:
        optimized.unlink()
    return int8_operations.count([Operation(name.startswith(INT8_OPERATORS), name in PRODUCTS) for name in operators])


RUNTIMES.add(OnnxRuntime())
