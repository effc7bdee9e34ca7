"""PyTorch modules as files that torch alone loads: of ``torch.export``, or of ``torch.jit`` where that cannot be."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.on_tensors import OnTensors, dynamic_batch
from bench.core.tensors import tensors_in
from bench.core.tracebacks import describe_exception
from bench.runtimes.deployment import Deployed, arrays_of, tensors_of
from bench.runtimes.graphs.packages import quiet
from bench.techniques.base import Artifact

TracerWarning: Final[type[Warning]] = torch.jit.TracerWarning  # type: ignore[attr-defined]
CHANNELS_LAST: Final = ".contiguous(memory_format=torch.channels_last)"


class _Flat(OnTensors):
    """The variant: no class of the model's is needed to load it."""

    def __init__(self, artifact: Artifact, example: Inputs) -> None:
        super().__init__(artifact.module, example)
        self._artifact = artifact

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensors_in(self._inputs.with_tensors(tensors).call(self._artifact.forward)))


def save(artifact: Artifact, example: Inputs, folder: Path, threads: int, engine: str) -> Deployed:
    """Write the artifact with a dynamic batch; raises ``UnsupportedError`` if torch can write it in neither way.

    ``example`` has two rows or more, as the artifact takes them. ``torch.export`` cannot hold the packed weights of
    torch's int8 modules, and ``torch.jit`` can. Neither has the fused operators of some modules, so the last bits of
    outputs may differ.
    """
    # Where nothing asks for gradients a program need not say that it wants none.
    module = _Flat(artifact, example).eval().requires_grad_(False)
    with quiet(), torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):
        try:
            name = _exported(module, example, folder)
        except Exception:  # of any kind: the model's code meets values that stand for tensors
            try:
                name = _traced(module, example, folder)
            except Exception as error:
                raise UnsupportedError(
                    f"neither torch.export nor torch.jit can write it ({describe_exception(error)}); leave --runtime "
                    f"out for a packed file"
                ) from error
    traced = name.endswith(".pt")
    load = ["import torch", f"torch.set_num_threads({threads})"]
    if traced and artifact.input_dtype == "float32":  # int8 layers take no other
        load.append(f'torch.backends.quantized.engine = "{engine}"')
    file = f'Path(__file__).with_name("{name}")'
    load.append(f"model = torch.jit.load({file})" if traced else f"model = torch.export.load({file}).module()")
    layout = CHANNELS_LAST if all(map(_channels_last, example.tensors)) else ""
    predict = f"{tensors_of(example, artifact.input_dtype, layout)}\n{arrays_of('model(*tensors)')}"
    how = "a TorchScript file (torch.jit.trace)" if traced else "an exported program (torch.export)"
    return Deployed((name,), ("torch",), "\n".join(load), predict, (f"model: {how}",), exact=False)


def _exported(module: nn.Module, example: Inputs, folder: Path) -> str:
    program = torch.export.export(module, example.tensors, dynamic_shapes=dynamic_batch(module, example))
    torch.export.save(program, folder / "model.pt2")
    return "model.pt2"


def _traced(module: nn.Module, example: Inputs, folder: Path) -> str:
    """Write what torch does for the example; raises ``UnsupportedError`` where that depends on the example's values."""
    trace: Any = torch.jit.trace  # which is not annotated
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TracerWarning)
        traced = trace(module, example.tensors, check_trace=False)
    ours = str(Path(torch.__file__).parent)  # torch's own operators turn scales, which are constants, into numbers
    for warning in caught:
        if issubclass(warning.category, TracerWarning) and not warning.filename.startswith(ours):
            where = f"line {warning.lineno} of {Path(warning.filename).name}"
            raise UnsupportedError(f"what the model does depends on values of its inputs, {where}")
    torch.jit.save(traced, str(folder / "model.pt"))
    return "model.pt"


def _channels_last(value: torch.Tensor) -> bool:
    return value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last) and not value.is_contiguous()
