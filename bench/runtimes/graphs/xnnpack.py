"""Programs for ExecuTorch's XNNPACK delegate, quantized by PT2E before if asked to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.runtimes.base import Source

if TYPE_CHECKING:
    from torch import nn

    from bench.core.inputs import Inputs

INT8: Final = ("dynamic-qint8", "static-qint8")
"""The techniques that PT2E quantizes."""


def save_program(source: Source, size: int, path: Path) -> None:
    """Write the ``.pte`` for batches of ``size``; raises ``UnsupportedError`` for a model that cannot be exported."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from bench.core.on_tensors import OnTensors

    inputs = source.inputs(size).changed(lambda value: value.contiguous())
    with torch.no_grad():
        try:
            int8 = source.technique.name in INT8
            graph = _quantized(source, inputs) if int8 else OnTensors(_contiguous(source.model()), inputs)
            program = torch.export.export(graph, inputs.tensors)
        except Exception as error:  # of any kind: the model's code meets values that stand for tensors
            raise UnsupportedError(f"torch.export cannot export this model: {describe_exception(error)}") from error
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    path.write_bytes(lowered.buffer)


def _quantized(source: Source, inputs: Inputs) -> nn.Module:
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from bench.core.on_tensors import OnTensors
    from bench.runtimes.graphs.batch_norms import without_batch_norms

    dynamic = source.technique.name == "dynamic-qint8"
    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    # As on Inductor: a BatchNorm would be folded into a convolution that others use too.
    model = OnTensors(without_batch_norms(_contiguous(source.model())), inputs)
    graph = torch.export.export(model, inputs.tensors).module()
    prepared = prepare_pt2e(graph, XNNPACKQuantizer().set_global(config))
    # With dynamic ranges too: without a forward pass the observers of weights have seen nothing.
    for batch in [inputs] if dynamic else source.calibration_batches(inputs.batch_size):
        if batch.batch_size == inputs.batch_size:  # the graph takes no other
            prepared(*batch.tensors)
    quantized: nn.Module = convert_pt2e(prepared)
    return quantized


def _contiguous(model: nn.Module) -> nn.Module:
    """Arrange the weights as ExecuTorch's passes expect them: they fail of channels-last ones."""
    import torch

    return model.to(memory_format=torch.contiguous_format)
