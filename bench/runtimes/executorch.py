"""ExecuTorch on the CPU: XNNPACK, a ``.pte`` for each batch size; int8 by PT2E."""

from __future__ import annotations

import functools
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from bench.core.errors import UnsupportedError
from bench.runtimes.base import RUNTIMES, Built, Runtime, Source, Stored
from bench.runtimes.deployment import Deployed
from bench.runtimes.graphs.packages import missing, quiet, versions
from bench.runtimes.graphs.structure import Structure
from bench.runtimes.graphs.xnnpack import INT8, save_program
from bench.techniques.base import Artifact, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from bench.core.inputs import Inputs

NEEDED: Final = {"executorch": "1.0", "torchao": "0.17"}
TECHNIQUES_HERE: Final = ("fp32", *INT8)
LOAD: Final = """
import torch
from executorch.runtime import Runtime
model = Runtime.get().load_program(Path(__file__).with_name("model.pte")).load_method("forward")
"""
PREDICT: Final = """
examples = zip(*(torch.from_numpy(array).split(1) for array in inputs))  # the program takes one at a time
answers = [[value.numpy().copy() for value in model.execute(example)] for example in examples]
return [np.concatenate(parts) for parts in zip(*answers)]
"""


class Method(Protocol):
    """A loaded program's ``forward``."""

    def execute(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the outputs, one after the other."""
        ...


class ExecuTorchExecutable:
    """Programs by the only batch size that each of them takes."""

    input_dtype = "float32"

    def __init__(self, methods: Mapping[int, Method], structure: Structure | None = None) -> None:
        self._methods = methods
        self._structure = structure or Structure()

    def outputs(self, inputs: Inputs) -> Any:
        """Return the outputs as the model returns them; other numbers of rows are cut into batches, the last filled.

        Each output must have a row for each example.
        """
        import torch

        rows = inputs.batch_size
        size = rows if rows in self._methods else max(self._methods)
        parts = [[value.clone() for value in self._run(size, batch)] for batch in _batches(inputs, size)]
        return self._structure.restore([torch.cat(values)[:rows] for values in zip(*parts, strict=True)])

    def bind(self, inputs: Inputs) -> Callable[[], object]:
        """Return a run of the program for this number of rows; raises ``UnsupportedError`` if there is none."""
        rows = inputs.batch_size
        if rows not in self._methods:
            sizes = ", ".join(map(str, sorted(self._methods)))
            raise UnsupportedError(f"its programs take batches of {sizes} rows, and none takes {rows}; build one")
        return functools.partial(self._methods[rows].execute, tuple(value.contiguous() for value in inputs.tensors))

    def _run(self, size: int, batch: Inputs) -> list[Tensor]:
        return self._methods[size].execute(tuple(value.contiguous() for value in batch.tensors))


class ExecuTorch(Runtime):
    """Executes ``.pte`` programs, which are for one batch size: with a range of them convolutions failed."""

    name = "executorch"
    summary: ClassVar[str] = "ExecuTorch: .pte programs for XNNPACK, as phones have it; int8 by PT2E"

    def lacks(self, technique: Technique) -> str | None:
        """Return why there is no such program."""
        if technique.name in TECHNIQUES_HERE:
            return None
        return f"quantbench makes ExecuTorch programs as {', '.join(TECHNIQUES_HERE)} only"

    def missing(self) -> str | None:
        """Return which package is missing or too old."""
        return missing(NEEDED, self.name)

    def build(self, source: Source, path: Path) -> Built:
        """Export, quantize and lower the model, once for each batch size."""
        decided_by = (source.technique.name, f"batches {source.batch_sizes}", f"torch {version('torch')}")

        def programs(folder: Path) -> None:
            folder.mkdir()
            for size in source.batch_sizes:
                with quiet():
                    save_program(source, size, folder / f"{size}.pte")

        cached = source.cache().get("executorch", (*decided_by, *versions(NEEDED)), programs)
        shutil.copytree(cached, path, dirs_exist_ok=True)
        executable = ExecuTorchExecutable(_methods(path, source.threads), Structure.of(source))
        least = min(source.batch_sizes)
        notes: tuple[str, ...] = (f"a program for each batch size; its size is that of the one for batch {least}",)
        if source.technique.name in INT8:
            notes += ("quantized by torchao (PT2E, XNNPACKQuantizer)",)
        return Built(executable, (path / f"{least}.pte").stat().st_size, notes=notes)

    def load(self, stored: Stored) -> ExecuTorchExecutable:
        """Load all programs."""
        return ExecuTorchExecutable(_methods(stored.path, stored.threads))

    def deploy(self, stored: Stored, artifact: Artifact | None, example: Inputs, folder: Path) -> Deployed:
        """Copy the program for one example."""
        program = stored.path / "1.pte"
        if not program.exists():
            raise UnsupportedError("its programs are for larger batches, and an exported one takes one example")
        shutil.copyfile(program, folder / "model.pte")
        notes = ("predict.py leaves the number of threads to ExecuTorch, whose function that sets it is private",)
        return Deployed(("model.pte",), ("executorch", "torch"), LOAD, PREDICT, notes, exact=False)


def _methods(folder: Path, threads: int) -> dict[int, Method]:
    """Return the programs of a folder; raises ``UnsupportedError`` if they would not have so many threads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This API is experimental")  # its release notes say which of it changes
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime as Interpreter

    portable_lib._unsafe_reset_threadpool(threads)
    count = getattr(portable_lib, "_threadpool_get_thread_count", None)
    if count is not None and count() != threads:
        raise UnsupportedError(f"ExecuTorch has {count()} threads here, where {threads} were asked for")
    loaded = Interpreter.get()
    return {int(file.stem): loaded.load_program(file).load_method("forward") for file in folder.glob("*.pte")}


def _batches(inputs: Inputs, size: int) -> Iterator[Inputs]:
    """Cut inputs into batches of ``size`` rows; the last is filled with its own last row."""
    import torch

    for start in range(0, inputs.batch_size, size):
        yield inputs.rows(torch.arange(start, start + size).clamp(max=inputs.batch_size - 1))


RUNTIMES.add(ExecuTorch())
