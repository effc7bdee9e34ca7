"""How much of a model a technique treats: which parameters stay float32, and which tied weights it separates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.core.class_names import class_title
from bench.core.sharing import place, tied_parameters
from bench.measuring.params import WEIGHT_LAYERS, count_parameters, count_weight_layers, is_changed
from bench.results.row import Treated

WORTH_A_NOTE = 0.05
"""The share of parameters left alone from which a note names them."""
EXPORTED = "graph.model."
"""Before the names of parameters of a model that went through torch.export."""
MOST_NAMED = 4
"""Classes in a note, the largest first."""
OF_TORCH = frozenset((*WEIGHT_LAYERS, nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell))
"""torch's weight layers, which techniques look for by their very class."""


@dataclass(frozen=True)
class FloatModel:
    """What is known of a float32 model before a technique changes it in place."""

    params: int
    layers: int
    """Linear and convolution layers."""
    classes: dict[str, type[nn.Module]]
    """The class of the module that each parameter is in, by the parameter's name."""
    sizes: dict[str, int]
    """The number of values of each."""
    tied: list[list[str]]
    """The names of those that are one."""

    @classmethod
    def of(cls, model: nn.Module) -> FloatModel:
        """Describe ``model``."""
        modules = dict(model.named_modules(remove_duplicate=False))
        named = dict(model.named_parameters(remove_duplicate=False))
        return cls(
            count_parameters(model),
            count_weight_layers(model),
            {name: type(modules[name.rpartition(".")[0]]) for name in named},
            {name: parameter.numel() for name, parameter in named.items()},
            tied_parameters(model),
        )


def treated(before: FloatModel, after: nn.Module) -> Treated:
    """Return how many of the parameters are in layers that were changed, folded into one, or of another type.

    A tied weight of which one copy was changed counts as treated.
    """
    left = sum(sum(counts.values()) for counts in _left_alone(before, after).values())
    changed = max(count_parameters(after) - left, before.params - left)
    return Treated(params=min(max(changed, 0), before.params), total=before.params)


def left_alone_note(before: FloatModel, after: nn.Module) -> tuple[str, ...]:
    """Name the classes whose parameters stay float32, where they are many and others do not."""
    left = {kind: (len(counts), sum(counts.values())) for kind, counts in _left_alone(before, after).items()}
    total = sum(params for _, params in left.values())
    if not WORTH_A_NOTE * before.params <= total:
        return ()
    largest = sorted(left.items(), key=lambda item: -item[1][1])
    named = [
        f"{modules} × {class_title(kind)}{_derived(kind)} ({params:,})"
        for kind, (modules, params) in largest[:MOST_NAMED]
    ]
    others = f" and {len(left) - MOST_NAMED} other classes" if len(left) > MOST_NAMED else ""
    return (f"left in float32: {', '.join(named)}{others}",)


def broken_ties_note(before: FloatModel, after: nn.Module) -> tuple[str, ...]:
    """Say which weights, one in the model, are two after the technique, and what that costs."""
    broken, cost = [], 0
    grown = count_parameters(after) > before.params
    for names in before.tied:
        places = [_whereabouts(after, name) for name in names]
        copies = max(len({where for where in places if where is not None}), 2 if grown and None in places else 1)
        if copies > 1:
            broken.append(" = ".join(f"`{name}`" for name in names))
            cost += (copies - 1) * before.sizes[names[0]]
    if not broken:
        return ()
    return (
        (
            f"it breaks a tie: {', '.join(broken)} is one tensor in fp32 and is stored more than once here, which "
            f"costs {cost:,} further parameters ({before.params:,} in fp32)"
        ),
    )


def _left_alone(before: FloatModel, after: nn.Module) -> dict[type[nn.Module], dict[str, int]]:
    """Return the float32 parameters by the class, and by the module, that they are in."""
    left: dict[type[nn.Module], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    seen: set[Hashable] = set()
    for path, part in after.named_modules():
        if is_changed(part):
            continue
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.dtype == torch.float32 and place(parameter) not in seen:
                seen.add(place(parameter))
                full = (f"{path}.{name}" if path else name).removeprefix(EXPORTED)
                left[before.classes.get(full, type(part))][path] += parameter.numel()
    return left


def _derived(kind: type[nn.Module]) -> str:
    """Say of a class that it is no exact one of torch's, which is why it is passed over."""
    base = next((base for base in kind.__mro__ if base in OF_TORCH), None)
    return f", derived from nn.{base.__name__}, which it leaves alone" if base is not None and base is not kind else ""


def _whereabouts(module: nn.Module, name: str) -> Hashable:
    """Return what tells where a parameter is now; ``None`` where nothing has the name any more."""
    path, _, attribute = name.rpartition(".")
    try:
        part = module.get_submodule(path)
    except AttributeError:
        return None
    if is_changed(part):
        return id(part)
    value = getattr(part, attribute, None)
    return place(value) if isinstance(value, Tensor) else None
