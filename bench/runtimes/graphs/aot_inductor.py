"""Models compiled ahead of time by Inductor, quantized by PT2E before if asked to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.results.row import Int8Operations
from bench.runtimes.base import Source
from bench.runtimes.graphs import int8_operations
from bench.runtimes.graphs.int8_operations import Operation
from bench.runtimes.graphs.layer_subset import layers_of, whole

if TYPE_CHECKING:
    from torch import fx, nn

    from bench.core.inputs import Inputs

INT8: Final = ("dynamic-qint8", "static-qint8")
"""The techniques that PT2E quantizes."""
CALIBRATION_BATCH: Final = 128
PRODUCTS: Final = ("mm", "addmm", "bmm", "baddbmm", "convolution", "_convolution", "_linear", "mkl_linear", "fn")
"""How the names of functions start that multiply float matrices; ``fn`` is one that was fused with what follows it."""


def compile_package(source: Source, input_dtype: str, path: Path, *, saturating: bool) -> Int8Operations | None:
    """Write the ``.pt2`` package of the technique and count the int8 operations, of an int8 one.

    ``saturating`` says whether int8 sums do on this CPU. Raises ``UnsupportedError`` for a model that cannot be
    exported or compiled.
    """
    import torch

    from bench.core.on_tensors import OnTensors, example_of

    int8 = whole(source.technique).name in INT8
    operations: list[Operation] = []
    dtype = getattr(torch, input_dtype)
    inputs = example_of(source.inputs(2)).cast(torch.device("cpu"), dtype)
    module = source.model() if int8 else source.convert().module
    with torch.no_grad(), _compiler(freezing=int8, see_graph=lambda graph: operations.extend(_operations(graph))):
        try:
            graph = _quantized(source, module, inputs, saturating) if int8 else OnTensors(module, inputs)
            program = _exported(graph, inputs)
        except Exception as error:  # of any kind: the model's code meets values that stand for tensors
            raise UnsupportedError(f"torch.export cannot export this model: {describe_exception(error)}") from error
        try:
            torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        except Exception as error:  # of any kind: its passes meet graphs that they do not expect
            raise UnsupportedError(f"Inductor cannot compile this model: {describe_exception(error)}") from error
    return int8_operations.count(operations) if int8 else None


def _exported(module: nn.Module, inputs: Inputs) -> Any:
    import torch

    from bench.core.on_tensors import dynamic_batch

    return torch.export.export(module, inputs.tensors, dynamic_shapes=dynamic_batch(module, inputs))


def _quantized(source: Source, model: nn.Module, inputs: Inputs, saturating: bool) -> nn.Module:
    """Return the float32 ``model`` with quantizers and dequantizers, which Inductor turns into int8 operations."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    from bench.core.on_tensors import OnTensors
    from bench.techniques.graphs.pt2e import confined

    dynamic = whole(source.technique).name == "dynamic-qint8"
    config = x86.get_default_x86_inductor_quantization_config(is_dynamic=dynamic, reduce_range=saturating)
    quantizer = confined(x86.X86InductorQuantizer(), config, layers_of(source))
    graph = _exported(OnTensors(_without_batch_norms(model), inputs), inputs).module()
    prepared = prepare_pt2e(graph, quantizer)
    # With dynamic ranges too: without a forward pass the observers of weights have seen nothing, and nobody says so.
    for batch in [inputs] if dynamic else source.calibration_batches(CALIBRATION_BATCH):
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


def _operations(graph: fx.Graph) -> Iterator[Operation]:
    """Read a graph that Inductor optimized; an operation without a kernel of its own may be fused with others yet."""
    for node in graph.nodes:
        if node.op == "call_function":
            function = getattr(node.target, "func", node.target)  # a partial one, of quantized operations
            name = getattr(function, "__name__", str(function))
            int8 = name.startswith("q") and not name.startswith("quantize")
            yield Operation(int8, name.startswith(PRODUCTS))


@contextmanager
def _compiler(freezing: bool, see_graph: Callable[[fx.Graph], None]) -> Iterator[None]:
    """Let Inductor compile in this process, with a cache of its own: others would make a build seem shorter.

    Weights are constants to it where it is to pack them for int8 operations (``freezing``). ``see_graph`` is called
    with the graph that it optimized.
    """
    from torch._inductor import config

    with tempfile.TemporaryDirectory(prefix="quantbench-inductor-") as cache:
        before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        try:
            with config.patch(compile_threads=1, freezing=freezing, post_grad_custom_post_pass=see_graph):
                yield
        finally:
            del os.environ["TORCHINDUCTOR_CACHE_DIR"]
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
