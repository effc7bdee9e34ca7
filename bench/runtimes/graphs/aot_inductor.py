"""Models compiled ahead of time by Inductor, quantized by PT2E before if asked to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.runtimes.base import Source

if TYPE_CHECKING:
    from torch import nn

    from bench.core.inputs import Inputs

STATIC: Final = "static-qint8"
CALIBRATION_BATCH: Final = 128


def compile_package(source: Source, input_dtype: str, path: Path, *, saturating: bool) -> None:
    """Write the ``.pt2`` package of the technique; raises ``UnsupportedError`` for a model that cannot be exported.

    ``saturating`` says whether int8 sums do on this CPU.
    """
    import torch

    from bench.core.on_tensors import OnTensors, example_of

    static = source.technique.name == STATIC
    dtype = getattr(torch, input_dtype)
    inputs = example_of(source.inputs(2)).cast(torch.device("cpu"), dtype)
    module = source.model() if static else source.convert().module
    with torch.no_grad(), _compiler(freezing=static):
        try:
            graph = _quantized(source, module, inputs, saturating) if static else OnTensors(module, inputs)
            program = _exported(graph, inputs)
        except Exception as error:  # of any kind: the model's code meets values that stand for tensors
            raise UnsupportedError(f"torch.export cannot export this model: {describe_exception(error)}") from error
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def _exported(module: nn.Module, inputs: Inputs) -> Any:
    import torch

    from bench.core.on_tensors import dynamic_batch

    return torch.export.export(module, inputs.tensors, dynamic_shapes=dynamic_batch(module, inputs))


def _quantized(source: Source, model: nn.Module, inputs: Inputs, saturating: bool) -> nn.Module:
    """Return the float32 ``model`` with quantizers and dequantizers, which Inductor turns into int8 operations."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    from bench.core.on_tensors import OnTensors

    config = x86.get_default_x86_inductor_quantization_config(is_dynamic=False, reduce_range=saturating)
    graph = _exported(OnTensors(_without_batch_norms(model), inputs), inputs).module()
    prepared = prepare_pt2e(graph, x86.X86InductorQuantizer().set_global(config))
    for batch in source.calibration_batches(CALIBRATION_BATCH):
        prepared(*batch.tensors)
    quantized: nn.Module = convert_pt2e(prepared)
    return quantized


def _without_batch_norms(model: nn.Module) -> nn.Module:
    """Return the model without BatchNorms where FX can trace it; otherwise torchao folds those that it finds."""
    from bench.runtimes.graphs.batch_norms import without_batch_norms

    try:
        return without_batch_norms(model)
    except Exception:  # of any kind: the model's code meets values that stand for tensors
        return model


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
