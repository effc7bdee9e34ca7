"""The float32 model as an ONNX file, from which ONNX Runtime and OpenVINO start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.runtimes.base import Source
from bench.runtimes.graphs.packages import quiet, versions

if TYPE_CHECKING:
    from torch import nn

    from bench.core.inputs import Inputs

EXPORTER: Final = {"onnx": "1.17", "onnxscript": "0.5"}
"""What ``torch.onnx.export`` needs, and the least version of each."""


def exported(source: Source) -> Path:
    """Return the file of the model with a dynamic batch; raises ``UnsupportedError`` if torch cannot export it.

    The first export of a process takes some 10 s, mostly imports, so that the file is kept in ``source.cache``.
    """
    from importlib.metadata import version

    decided_by = (f"torch {version('torch')}", *versions(EXPORTER))
    return source.cache().get("float32.onnx", decided_by, lambda path: export(source.model(), source.inputs(2), path))


def export(network: nn.Module, example: Inputs, path: Path) -> None:
    """Write ``network`` with a dynamic batch; raises ``UnsupportedError`` if torch cannot export it."""
    import torch

    from bench.core.on_tensors import OnTensors, dynamic_batch, example_of

    inputs = example_of(example)
    model = OnTensors(network, inputs)
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                model,
                inputs.tensors,
                dynamo=True,
                dynamic_shapes=dynamic_batch(model, inputs),
                input_names=list(inputs.names),
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
