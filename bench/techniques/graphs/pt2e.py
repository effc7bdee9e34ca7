"""Static int8 for models that FX cannot trace: exported by ``torch.export``, quantized by torchao's PT2E.

Eager PyTorch has no int8 kernels for such a graph: it holds int8 weights and rounds activations, and computes in
float32 (``simulated``). Inductor compiles the same into int8 operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import fx, nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.on_tensors import OnTensors, dynamic_batch, example_of
from bench.core.tensors import changed
from bench.core.tracebacks import describe_exception
from bench.techniques.base import Artifact, Context
from bench.techniques.torch_quantization import quiet

NOTE = (
    "quantized through torch.export and PT2E (torchao, X86InductorQuantizer), since FX cannot: int8 values that eager "
    "PyTorch computes with in float32; --runtime inductor has int8 operations for them"
)


class ExportedModel(nn.Module):
    """A graph of tensors that is called, and answers, like the model it was exported from."""

    def __init__(self, graph: nn.Module, names: Sequence[str], example: Any) -> None:
        super().__init__()
        self.graph = graph
        self._names = tuple(names)
        self._example = example

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Give the graph its tensors, and put those of its answer where the model has them."""
        outputs = iter(self.graph(*Inputs(args, kwargs).ordered(self._names)))
        return changed(self._example, lambda _: next(outputs))


def convert(model: nn.Module, batches: Sequence[Inputs], context: Context, why: str) -> Artifact:
    """Return the variant; ``why`` is what FX could not do. Raises ``UnsupportedError`` where PT2E cannot either."""
    if find_spec("torchao") is None:
        raise UnsupportedError(f"{why}; PT2E needs no FX and needs torchao: pip install 'quantbench[inductor]'")
    try:
        with torch.no_grad(), quiet():
            inputs = example_of(batches[0].rows(slice(2)))
            module = OnTensors(model, inputs)
            program = torch.export.export(module, inputs.tensors, dynamic_shapes=dynamic_batch(module, inputs))
            graph = _quantized(program.module(), batches, context)
            example = inputs.call(model)
    except Exception as error:  # of any kind: the model's code meets values that stand for tensors
        raise UnsupportedError(f"{why}; torch.export and PT2E cannot: {describe_exception(error)}") from error
    exported = ExportedModel(graph, inputs.names, changed(example, lambda value: value.new_empty(0)))
    return Artifact(exported, exported, notes=(NOTE,), simulated=True)


def _quantized(graph: nn.Module, batches: Sequence[Inputs], context: Context) -> nn.Module:
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    config = x86.get_default_x86_inductor_quantization_config(is_dynamic=False)
    prepared = prepare_pt2e(graph, confined(x86.X86InductorQuantizer(), config, context.layers))
    for batch in batches:
        prepared(*batch.tensors)
    return _with_state(convert_pt2e(prepared))


def confined(quantizer: Any, config: Any, layers: frozenset[str] | None) -> Any:
    """Let a quantizer change all layers, or those named alone: what lies between them stays float then."""
    if layers is None:
        return quantizer.set_global(config)
    for name in sorted(layers):
        quantizer.set_module_name_qconfig(f"model.{name}", config)  # ``OnTensors`` holds the model so
    return quantizer


def _with_state(graph: fx.GraphModule) -> nn.Module:
    """Return the graph with all that was quantized in its state: int8 weights as parameters, ranges as buffers.

    Without the float32 weights that int8 ones stand for. Ranges are numbers in the graph, which no packed file holds.
    """
    operators = torch.ops.quantized_decomposed
    by_tensors = {
        operators.quantize_per_tensor.default: operators.quantize_per_tensor.tensor,
        operators.dequantize_per_tensor.default: operators.dequantize_per_tensor.tensor,
    }
    ranges: dict[Any, list[str]] = {}
    for node in list(graph.graph.nodes):
        if node.target not in by_tensors:
            continue
        value, scale, zero_point, *rest = node.args
        quantized = value if value.target is operators.quantize_per_tensor.tensor else node
        if quantized not in ranges:  # by the node: which ranges are equal must not decide the structure
            ranges[quantized] = [f"range_{len(ranges)}_scale", f"range_{len(ranges)}_zero_point"]
            graph.register_buffer(ranges[quantized][0], torch.tensor(scale, dtype=torch.float32))
            graph.register_buffer(ranges[quantized][1], torch.tensor(zero_point, dtype=torch.int64))
        with graph.graph.inserting_before(node):
            node.args = (value, *map(graph.graph.get_attr, ranges[quantized]), *rest)
        node.target = by_tensors[node.target]
    _keep_what_is_used(graph)
    graph.recompile()
    return graph


def _keep_what_is_used(graph: fx.GraphModule) -> None:
    used = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    for name, tensor in [*graph.named_parameters(), *graph.named_buffers()]:
        path, _, attribute = name.rpartition(".")
        owner = graph.get_submodule(path)
        if name not in used:
            delattr(owner, attribute)
        elif tensor.dtype == torch.int8:
            delattr(owner, attribute)
            owner.register_parameter(attribute, nn.Parameter(tensor, requires_grad=False))
    graph.delete_all_unused_submodules()
