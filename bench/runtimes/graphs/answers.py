"""Whether a graph answers at all: what can be exported need not run."""

from __future__ import annotations

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.runtimes.base import Executable, Source

SIZES = (1, 3)
"""A graph may have taken the batch that it was exported with for a constant."""


def require_answers(executable: Executable, source: Source, runtime: str) -> None:
    """Raise ``UnsupportedError`` if the graph cannot answer batches that the model can."""
    import torch

    for size in SIZES:
        inputs = source.inputs(size).cast(torch.device("cpu"), getattr(torch, executable.input_dtype))
        try:
            with torch.inference_mode():
                executable.outputs(inputs)
        except Exception as error:  # of any kind: a runtime's own
            if not _model_answers(source, size):  # a model may have a batch size of its own
                continue
            raise UnsupportedError(
                f"{runtime} cannot execute the exported graph on a batch of {inputs.batch_size}: "
                f"{describe_exception(error)}"
            ) from error


def _model_answers(source: Source, size: int) -> bool:
    import torch

    try:
        with torch.inference_mode():
            source.inputs(size).call(source.model())
    except Exception:  # of any kind: the model's own
        return False
    return True
