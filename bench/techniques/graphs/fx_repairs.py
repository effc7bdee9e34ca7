"""What FX quantization leaves undone: ranges of what are no floats, and state that is not saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.ao.quantization import ObserverBase
from torch.nn import functional as F

from bench.core.class_names import class_title
from bench.core.inputs import Inputs

PRODUCTS = (F.linear, F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
KEPT = ("weight", "scale", "zero_point")
"""Attributes that some quantized modules, such as PReLU, ELU and Softmax, hold beside their state dict."""


def without_foreign_observers(prepared: fx.GraphModule, batch: Inputs) -> int:
    """Remove observers of values that are no real floats, which have no range to quantize by; return how many."""
    foreign = _Foreign(prepared)
    with torch.inference_mode():
        foreign.run(*_placed(prepared, batch))
    for node in foreign.nodes:
        node.replace_all_uses_with(node.all_input_nodes[0])
        prepared.graph.erase_node(node)
    prepared.recompile()
    return len(foreign.nodes)


def _placed(prepared: fx.GraphModule, batch: Inputs) -> list[Any]:
    """Return the arguments in the order of the graph's placeholders, defaults where none is given."""
    placeholders = [node for node in prepared.graph.nodes if node.op == "placeholder"]
    given = dict(zip((node.target for node in placeholders), batch.args, strict=False)) | dict(batch.kwargs)
    return [given.get(node.target, node.args[0] if node.args else None) for node in placeholders]


class _Foreign(fx.Interpreter):
    """Passes what no observer can observe."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.nodes: list[fx.Node] = []

    def run_node(self, n: fx.Node) -> Any:
        """Return what the node gives, of an observer that cannot observe what it is given."""
        if n.op == "call_module" and isinstance(self.module.get_submodule(str(n.target)), ObserverBase):
            value = self.env[n.all_input_nodes[0]]
            if not (isinstance(value, Tensor) and value.is_floating_point()):
                self.nodes.append(n)
                return value
        return super().run_node(n)


def computed_weights(prepared: fx.GraphModule, classes: Mapping[str, type[nn.Module]]) -> list[str]:
    """Name the modules that multiply by a weight computed at each call, which FX cannot quantize."""
    named = []
    for node in prepared.graph.nodes:
        if node.op == "call_function" and node.target in PRODUCTS and len(node.args) > 1:
            weight = node.args[1]
            while isinstance(weight, fx.Node) and weight.op == "call_module":  # its observer
                weight = weight.args[0]
            if isinstance(weight, fx.Node) and weight.op not in ("get_attr", "placeholder"):
                source = next((other for other in _before(weight) if other.op == "get_attr"), None)
                path = str(source.target).rpartition(".")[0] if source else ""
                kind = classes.get(path)
                named.append(f"{path} ({class_title(kind)})" if kind else path or str(node.name))
    return list(dict.fromkeys(named))


def _before(node: fx.Node) -> list[fx.Node]:
    nodes, pending = [], [node]
    while pending:
        nodes.append(pending.pop())
        pending += nodes[-1].all_input_nodes
    return nodes


def keep_state(model: nn.Module) -> None:
    """Let what quantized modules hold beside their state dict be saved in it and loaded from it."""
    for part in model.modules():
        kept = [name for name in KEPT if name in vars(part)]
        if kept and type(part).__module__.startswith("torch.ao.nn.quantized") and not part.state_dict():
            part.register_state_dict_post_hook(_save)
            part.register_load_state_dict_pre_hook(_load)


def _save(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    state.update({prefix + name: vars(module)[name] for name in KEPT if name in vars(module)})


def _load(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in KEPT:
        if prefix + name in state:
            setattr(module, name, state.pop(prefix + name))
