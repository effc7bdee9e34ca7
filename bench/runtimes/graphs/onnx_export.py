"""The float32 model as an ONNX file, from which ONNX Runtime and OpenVINO start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.runtimes.base import Source
from bench.runtimes.graphs.packages import quiet, versions

if TYPE_CHECKING:
    from torch import nn

    from bench.core.tensors import Inputs

EXPORTER: Final = {"onnx": "1.17", "onnxscript": "0.5"}
"""What ``torch.onnx.export`` needs, and the least version of each."""


def exported(source: Source) -> Path:
    """Return the file of the model with a dynamic batch; raises ``UnsupportedError`` if torch cannot export it.

    The first export of a process takes some 10 s, mostly imports, so that the file is kept in ``source.cache``.
    """
    from importlib.metadata import version

    decided_by = (f"torch {version('torch')}", *versions(EXPORTER))
    return source.cache().get("float32.onnx", decided_by, lambda path: export(source.model(), source.inputs(2), path))


def input_names(inputs: Sequence[object]) -> list[str]:
    """Return what the inputs are called in the file."""
    return [f"input{position}" for position in range(len(inputs))]


def export(model: nn.Module, example: Inputs, path: Path) -> None:
    """Write ``model`` with a dynamic batch; raises ``UnsupportedError`` if torch cannot export it."""
    import torch

    # Of a batch of one the exporter would make a constant.
    inputs = tuple(value if len(value) > 1 else torch.cat([value, value]) for value in example)
    batch = torch.export.Dim("batch")
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                model,
                inputs,
                dynamo=True,
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                input_names=input_names(inputs),
                verbose=False,
            )
    except Exception as error:  # of any kind: the model's code meets values that stand for tensors
        cause = error
        while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
            cause = cause.__cause__
        raise UnsupportedError(f"torch.onnx cannot export this model: {describe_exception(cause)}") from error
    assert program is not None  # noqa: S101 — with dynamo it is the program
    # The default would put the weights into a second file, and the size of the first would say nothing.
    program.save(path, external_data=False)
