"""Inductor: the model compiled ahead of time into a ``.pt2`` package (AOTInductor), int8 by PT2E."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bench.core.errors import UnsupportedError
from bench.core.limits import MAX_BATCH_SIZE
from bench.core.tracebacks import describe_exception
from bench.results.isa import int8_sums_saturate
from bench.results.machine import Machine
from bench.runtimes.base import RUNTIMES, Built, Runtime, Source, Stored
from bench.runtimes.graphs.packages import missing, quiet, versions
from bench.runtimes.graphs.structure import Structure
from bench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.core.tensors import Inputs

INPUT_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "static-qint8": "float32"}
"""The techniques, and what inputs they take."""
STATIC: Final = "static-qint8"
QUANTIZER: Final = {"torchao": "0.17"}
CALIBRATION_BATCH: Final = 128
PACKAGE: Final = "model.pt2"
LIBRARY: Final = "model.so"
"""The package's code and weights, unpacked once: torch would unpack them for each process, and leave them behind where
one is ended."""
CPU_INFO: Final = Path("/proc/cpuinfo")


class InductorExecutable:
    """A compiled library, called as from C++: with a list of tensors, in the layout that it was compiled for."""

    def __init__(self, library: Path, input_dtype: str, structure: Structure | None = None) -> None:
        import torch

        self.input_dtype = input_dtype
        self._run: Callable[[list[Tensor]], list[Tensor]] = torch._C._aoti.AOTIModelContainerRunnerCpu(
            str(library), 1
        ).run
        self._structure = structure or Structure()

    def outputs(self, inputs: Inputs) -> Any:
        """Return the outputs as the model returns them; in a process that has only the file, as a tuple of tensors."""
        return self._structure.restore(self._run([value.contiguous() for value in inputs]))

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return a run on the list of inputs."""
        return functools.partial(self._run, [value.contiguous() for value in inputs])


class Inductor(Runtime):
    """Executes what torch's compiler made ahead of time."""

    name = "inductor"
    summary: ClassVar[str] = "AOTInductor: a .pt2 package that torch compiles with a C++ compiler, for this CPU alone"

    def lacks(self, technique: Technique) -> str | None:
        """Return why it is not compiled."""
        if technique.name in INPUT_DTYPES:
            return None
        return f"quantbench compiles {', '.join(INPUT_DTYPES)} only"

    def missing(self) -> str | None:
        """Return which compiler is missing."""
        compiler = os.environ.get("CXX", "g++")
        if shutil.which(compiler) is None:
            return f"it needs a C++ compiler, and there is no {compiler}; install one, or name another with $CXX"
        return None

    def unsupported_reason(self, technique: Technique, machine: Machine, device: str, engine: str) -> str | None:
        """Require, for int8, torchao and a CPU that its quantizer is for."""
        reason = super().unsupported_reason(technique, machine, device, engine)
        if reason is not None or technique.name != STATIC:
            return reason
        if "AVX2" not in machine.isa:
            return "torchao's quantizer for Inductor is for x86 CPUs with AVX2; choose another runtime"
        return missing(QUANTIZER, self.name)

    def build(self, source: Source, path: Path) -> Built:
        """Export, quantize, compile, and load what came of it."""
        name, saturating = source.technique.name, int8_sums_saturate(source.isa)
        # Code is for the very CPU (-march=native) and for so many threads.
        decided_by: tuple[str, ...] = (
            name,
            f"torch {version('torch')}",
            _cpu(),
            f"{source.threads} threads",
            f"{saturating}",
        )
        decided_by += versions(QUANTIZER) if name == STATIC else ()

        def package(folder: Path) -> None:
            folder.mkdir()
            with quiet():
                _compile(source, folder / PACKAGE, saturating)
            _unpack(folder / PACKAGE, folder / LIBRARY)

        shutil.copytree(source.cache().get("inductor", decided_by, package), path)
        executable = InductorExecutable(path / LIBRARY, INPUT_DTYPES[name], Structure.of(source))
        notes: tuple[str, ...] = ("compiled for this CPU: its file runs on no lesser one",)
        if name == STATIC:
            notes += ("quantized by torchao (PT2E, X86InductorQuantizer)",)
            if saturating:
                notes += ("activations take 7 of their 8 bits (reduce_range), so that int8 sums cannot saturate",)
        return Built(executable, (path / PACKAGE).stat().st_size, notes=notes)

    def load(self, stored: Stored) -> InductorExecutable:
        """Load the library, without a compiler and without what exports."""
        return InductorExecutable(stored.path / LIBRARY, INPUT_DTYPES[stored.technique.name])


def _compile(source: Source, path: Path, saturating: bool) -> None:
    import torch

    static = source.technique.name == STATIC
    dtype = getattr(torch, INPUT_DTYPES[source.technique.name])
    # Of a batch of one export would make a constant.
    batch = tuple(value if len(value) > 1 else torch.cat([value, value]) for value in source.inputs(2))
    inputs = tuple((value.to(dtype) if value.is_floating_point() else value).contiguous() for value in batch)
    with torch.no_grad(), _compiler(freezing=static):
        try:
            program = _exported(_quantized(source, inputs, saturating) if static else source.convert().module, inputs)
        except Exception as error:  # of any kind: the model's code meets values that stand for tensors
            raise UnsupportedError(f"torch.export cannot export this model: {describe_exception(error)}") from error
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def _exported(module: nn.Module, inputs: Inputs) -> Any:
    import torch

    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH_SIZE)
    return torch.export.export(module, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs))


def _quantized(source: Source, inputs: Inputs, saturating: bool) -> nn.Module:
    """Return the float32 model with quantizers and dequantizers, which Inductor turns into int8 operations."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    from bench.runtimes.graphs.batch_norms import without_batch_norms

    config = x86.get_default_x86_inductor_quantization_config(is_dynamic=False, reduce_range=saturating)
    graph = _exported(without_batch_norms(source.model()), inputs).module()
    prepared = prepare_pt2e(graph, x86.X86InductorQuantizer().set_global(config))
    for batch in source.calibration():
        for start in range(0, len(batch[0]), CALIBRATION_BATCH):
            prepared(*(value[start : start + CALIBRATION_BATCH].contiguous() for value in batch))
    quantized: nn.Module = convert_pt2e(prepared)
    return quantized


@contextmanager
def _compiler(freezing: bool) -> Iterator[None]:
    """Let Inductor compile in this process, with a cache of its own: others would make a build seem shorter.

    Weights are constants to it where it is to pack them for int8 operations (``freezing``).
    """
    from torch._inductor import config

    with tempfile.TemporaryDirectory(prefix="quantbench-inductor-") as cache:
        before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        try:
            with config.patch(compile_threads=1, freezing=freezing):
                yield
        finally:
            del os.environ["TORCHINDUCTOR_CACHE_DIR"]
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before


def _unpack(package: Path, library: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".so")]
        library.write_bytes(archive.read(name))


def _cpu() -> str:
    """Return what tells this CPU from others: its name and all of its flags."""
    if not CPU_INFO.exists():
        return f"{platform.machine()} {platform.processor()}"
    first = CPU_INFO.read_text(encoding="utf-8").partition("\n\n")[0]
    return "".join(line for line in first.splitlines() if line.startswith(("model name", "flags", "Features")))


RUNTIMES.add(Inductor())
