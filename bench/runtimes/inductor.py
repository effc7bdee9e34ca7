"""Inductor: the model compiled ahead of time into a ``.pt2`` package (AOTInductor), int8 by PT2E."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bench.results.isa import int8_sums_saturate
from bench.results.machine import Machine
from bench.results.row import Int8Operations
from bench.runtimes.base import RUNTIMES, Built, Runtime, Source, Stored
from bench.runtimes.deployment import Deployed, arrays_of, tensors_of
from bench.runtimes.graphs.answers import require_answers
from bench.runtimes.graphs.aot_inductor import INT8, compile_package
from bench.runtimes.graphs.layer_subset import lacks_mixture, whole
from bench.runtimes.graphs.packages import missing, quiet, versions
from bench.runtimes.graphs.structure import Structure
from bench.techniques.base import Artifact, Technique
from bench.techniques.mixed import Mixed

if TYPE_CHECKING:
    from torch import Tensor

    from bench.core.inputs import Inputs

INPUT_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", **dict.fromkeys(INT8, "float32")}
"""The techniques, and what inputs they take."""
QUANTIZER: Final = {"torchao": "0.17"}
PACKAGE: Final = "model.pt2"
LIBRARY: Final = "model.so"
"""The package's code and weights, unpacked once: torch would unpack them for each process, and leave them behind where
one is ended."""
OPERATIONS: Final = "operations.json"
"""What was counted when it was compiled."""
CPU_INFO: Final = Path("/proc/cpuinfo")
LOAD: Final = """
import torch
torch.set_num_threads({threads})
run = torch._inductor.aoti_load_package(str(Path(__file__).with_name("model.pt2"))).loader.boxed_run
"""


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
        return self._structure.restore(self._run(self._list(inputs)))

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return a run on the list of inputs."""
        return functools.partial(self._run, self._list(inputs))

    def _list(self, inputs: Inputs) -> list[Tensor]:
        return [value.contiguous() for value in inputs.ordered(self._structure.names or inputs.names)]


class Inductor(Runtime):
    """Executes what torch's compiler made ahead of time."""

    name = "inductor"
    summary: ClassVar[str] = "AOTInductor: a .pt2 package that torch compiles with a C++ compiler, for this CPU alone"

    def lacks(self, technique: Technique) -> str | None:
        """Return why it is not compiled."""
        if isinstance(technique, Mixed):
            return lacks_mixture(technique, self.lacks)
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
        if reason is not None or whole(technique).name not in INT8:
            return reason
        if "AVX2" not in machine.isa:
            return "torchao's quantizer for Inductor is for x86 CPUs with AVX2; choose another runtime"
        return missing(QUANTIZER, self.name)

    def build(self, source: Source, path: Path) -> Built:
        """Export, quantize, compile, and load what came of it."""
        name, saturating = whole(source.technique).name, int8_sums_saturate(source.isa)
        # Code is for the very CPU (-march=native) and for so many threads.
        decided_by: tuple[str, ...] = (
            source.technique.name,
            f"torch {version('torch')}",
            _cpu(),
            f"{source.threads} threads",
            f"{saturating}",
        )
        decided_by += versions(QUANTIZER) if name in INT8 else ()

        def package(folder: Path) -> None:
            folder.mkdir()
            with quiet():
                int8 = compile_package(source, INPUT_DTYPES[name], folder / PACKAGE, saturating=saturating)
            _unpack(folder / PACKAGE, folder / LIBRARY)
            if int8 is not None:
                (folder / OPERATIONS).write_text(int8.model_dump_json(), encoding="utf-8")

        shutil.copytree(source.cache().get("inductor", decided_by, package), path, dirs_exist_ok=True)
        executable = InductorExecutable(path / LIBRARY, INPUT_DTYPES[name], Structure.of(source))
        require_answers(executable, source, self.name)
        notes: tuple[str, ...] = ("compiled for this CPU: its file runs on no lesser one",)
        int8 = None
        if name in INT8:
            int8 = Int8Operations.model_validate_json((path / OPERATIONS).read_bytes())
            notes += ("quantized by torchao (PT2E, X86InductorQuantizer)",)
            if saturating:
                notes += ("activations take 7 of their 8 bits (reduce_range), so that int8 sums cannot saturate",)
        return Built(executable, (path / PACKAGE).stat().st_size, int8_operations=int8, notes=notes)

    def load(self, stored: Stored) -> InductorExecutable:
        """Load the library, without a compiler and without what exports."""
        return InductorExecutable(stored.path / LIBRARY, INPUT_DTYPES[whole(stored.technique).name])

    def deploy(self, stored: Stored, artifact: Artifact | None, example: Inputs, folder: Path) -> Deployed:
        """Copy the package."""
        shutil.copyfile(stored.path / PACKAGE, folder / PACKAGE)
        tensors = tensors_of(example, INPUT_DTYPES[whole(stored.technique).name], ".contiguous()")
        predict = f"{tensors}\n{arrays_of('run(tensors)')}"
        return Deployed((PACKAGE,), ("torch",), LOAD.format(threads=stored.threads), predict)


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
