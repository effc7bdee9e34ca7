"""OpenVINO on the CPU: the model exported by torch, int8 by NNCF."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bench.core.errors import UnsupportedError
from bench.measuring.latency import affinity
from bench.results.isa import computes_bfloat16, int8_sums_saturate
from bench.results.machine import Machine
from bench.results.row import Int8Operations
from bench.runtimes.base import RUNTIMES, Built, Runtime, Source, Stored
from bench.runtimes.deployment import Deployed
from bench.runtimes.graphs import int8_operations
from bench.runtimes.graphs.answers import require_answers
from bench.runtimes.graphs.int8_operations import Operation
from bench.runtimes.graphs.onnx_export import EXPORTER
from bench.runtimes.graphs.openvino_graph import import_openvino, save_graph
from bench.runtimes.graphs.packages import missing, quiet, versions
from bench.runtimes.graphs.structure import Structure
from bench.techniques.base import Artifact, Technique
from bench.techniques.mixed import Mixed

if TYPE_CHECKING:
    import openvino

    from bench.core.inputs import Inputs

NEEDED: Final = {"openvino": "2025.0", "nncf": "2.15", **EXPORTER}
PRECISIONS: Final = {"fp32": "f32", "fp16": "f32", "bf16": "bf16", "static-qint8": "f32"}
"""What OpenVINO computes in what is not int8, by technique: left alone it takes bfloat16 on CPUs that have it."""
GRAPH: Final = "model.xml"
"""In the folder of a variant, beside ``model.bin`` with the weights."""
PRODUCTS: Final = ("Convolution", "FullyConnected", "MatMul")
"""Layers that multiply matrices, as OpenVINO calls them."""
MIXTURES: Final = (
    "OpenVINO 2026.4 computes some graphs wrongly in which few layers are int8, such as the first convolution of a "
    "pre-activation ResNet, so quantbench leaves no layers out there"
)
"""Why it has no techniques confined to layers, by NNCF's ignored scope."""
LOAD: Final = """
import openvino
settings = {settings}
compiled = openvino.Core().compile_model(Path(__file__).with_name("model.xml"), "CPU", settings)
"""
PREDICT: Final = """
results = compiled([np.ascontiguousarray(array) for array in inputs])
return [results[port] for port in compiled.outputs]
"""


class OpenVinoExecutable:
    """A compiled model."""

    input_dtype = "float32"

    def __init__(self, compiled: openvino.CompiledModel, structure: Structure | None = None) -> None:
        self.compiled = compiled
        self._structure = structure or Structure()
        self._inputs = [port.any_name for port in compiled.inputs]
        self._bound: list[object] = []
        """Arrays that requests read from."""

    def outputs(self, inputs: Inputs) -> Any:
        """Return the outputs as the model returns them; in a process that has only the file, as a tuple of tensors."""
        import torch

        request = self.compiled.create_infer_request()
        results = request.infer([value.contiguous().numpy() for value in inputs.ordered(self._inputs)])
        return self._structure.restore([torch.from_numpy(results[port].copy()) for port in self.compiled.outputs])

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return an inference of a request that has its inputs; its outputs stay in the request's memory."""
        import openvino

        request = self.compiled.create_infer_request()
        for position, value in enumerate(inputs.ordered(self._inputs)):
            array = value.contiguous().numpy()
            self._bound.append(array)
            request.set_input_tensor(position, openvino.Tensor(array, shared_memory=True))
        # By position (no inputs, nothing shared of them, outputs shared): Python takes some 60 ns more for a keyword.
        return functools.partial(request.infer, None, False, True)


class OpenVino(Runtime):
    """Executes ``.xml`` graphs with their ``.bin``."""

    name = "openvino"
    summary: ClassVar[str] = "OpenVINO on an exported graph (.xml and .bin), int8 by NNCF"

    def lacks(self, technique: Technique) -> str | None:
        """Return why there is no such graph."""
        if isinstance(technique, Mixed):
            return MIXTURES
        if technique.name in PRECISIONS:
            return None
        if technique.name == "dynamic-qint8":
            return "OpenVINO quantizes activations as they come for compressed language models only"
        return f"quantbench makes OpenVINO graphs as {', '.join(PRECISIONS)} only"

    def missing(self) -> str | None:
        """Return which package is missing or too old."""
        return missing(NEEDED, self.name)

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Require bfloat16 arithmetic for bfloat16: without it OpenVINO would compute in float32, and say nothing."""
        reason = super().unsupported_reason(technique, machine, device, engine)
        if reason is None and technique.name == "bf16" and not computes_bfloat16(machine.isa):
            return "this CPU has no bfloat16 arithmetic, and OpenVINO would compute in float32; choose fp32"
        return reason

    def build(self, source: Source, path: Path) -> Built:
        """Convert, quantize, and compile what came of it."""
        name, saturating = source.technique.name, int8_sums_saturate(source.isa)
        decided_by = (name, f"overflow_fix {saturating}", *versions(NEEDED))

        def save(folder: Path) -> None:
            folder.mkdir()
            with quiet():
                save_graph(source, folder / GRAPH, saturating=saturating)

        shutil.copytree(source.cache().get("openvino", decided_by, save), path, dirs_exist_ok=True)
        executable = OpenVinoExecutable(_compiled(path, name, source.threads), Structure.of(source))
        require_answers(executable, source, self.name)
        int8 = _int8_operations(executable.compiled) if name == "static-qint8" else None
        file_bytes = sum(file.stat().st_size for file in path.iterdir())
        return Built(executable, file_bytes, int8_operations=int8, notes=_notes(name, saturating))

    def load(self, stored: Stored) -> OpenVinoExecutable:
        """Compile the graph in a process that is tied to its cores already.

        With each inference OpenVINO ties the calling thread to the cores that it saw when it compiled.
        """
        if stored.cores:
            affinity.pin(stored.cores)
        return OpenVinoExecutable(_compiled(stored.path, stored.technique.name, stored.threads))

    def deploy(self, stored: Stored, artifact: Artifact | None, example: Inputs, folder: Path) -> Deployed:
        """Copy the graph and its weights."""
        names = tuple(sorted(file.name for file in stored.path.iterdir()))
        for name in names:
            shutil.copyfile(stored.path / name, folder / name)
        settings = _written(_settings(stored.technique.name, stored.threads))
        return Deployed(names, ("openvino",), LOAD.format(settings=settings), PREDICT)


def _compiled(folder: Path, technique: str, threads: int) -> openvino.CompiledModel:
    """Return the compiled graph; raises ``UnsupportedError`` if it would compute in another way than it is called."""
    settings = _settings(technique, threads)
    compiled = import_openvino().Core().compile_model(folder / GRAPH, "CPU", settings)
    computes_in = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if computes_in != PRECISIONS[technique]:
        raise UnsupportedError(f"OpenVINO computes in {computes_in} here, where {PRECISIONS[technique]} was asked for")
    for name in ("INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING"):
        if compiled.get_property(name) != settings[name]:
            raise UnsupportedError(f"OpenVINO has {name} {compiled.get_property(name)} here, not {settings[name]}")
    return compiled


def _settings(technique: str, threads: int) -> dict[str, str | int]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": PRECISIONS[technique],
        "ENABLE_CPU_PINNING": False,  # it would move the calling thread to cores of its own choice
    }


def _written(settings: Mapping[str, str | int]) -> str:
    """Return settings as Python has them, in two lines."""
    entries = [f"{name!r}: {value!r}".replace("'", '"') for name, value in settings.items()]
    return f"{{{', '.join(entries[:3])},\n            {', '.join(entries[3:])}}}"


def _notes(technique: str, saturating: bool) -> tuple[str, ...]:
    if technique == "fp16":
        return ("stored as float16 and computed in float32",)
    if technique == "bf16":
        return ("stored as float32 and computed in bfloat16",)
    if technique != "static-qint8":
        return ()
    notes: tuple[str, ...] = ("quantized by NNCF (MINMAX)",)
    if saturating:
        notes += ("weights take half of their range (overflow_fix): this CPU has no VNNI and int8 sums could saturate",)
    return notes


def _int8_operations(compiled: openvino.CompiledModel) -> Int8Operations:
    """Read the graph as OpenVINO compiled it."""
    informations = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    layers = [(_text(information, "layerType"), _text(information, "runtimePrecision")) for information in informations]
    return int8_operations.count(
        [
            Operation(precision in ("i8", "u8"), kind in PRODUCTS)
            for kind, precision in layers
            if precision and kind not in ("Input", "Output", "Const")
        ]
    )


def _text(information: Any, key: str) -> str:
    return str(information[key].astype(str)) if key in information else ""


RUNTIMES.add(OpenVino())
