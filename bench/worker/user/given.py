"""What a user's inputs and calibrate return becomes ``Inputs``, or a sentence on what is wrong with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from bench.core.errors import UserModelError
from bench.core.inputs import Inputs
from bench.core.units import counted

ARGUMENTS = "a tensor, a tuple of tensors, a dict of them, or (args, kwargs)"
CONSTANTS = (bool, int, float, str, type(None))
"""What may stand beside tensors; it is the same at each call."""


def inputs_in(value: object, words: str) -> Inputs:
    """Return the arguments of one call; raises ``UserModelError`` for anything else."""
    inputs = _with_constants_alone(value, words)
    sizes = {len(tensor) for tensor in inputs.tensors if tensor.dim()}
    if len(sizes) != 1 or 0 in sizes:
        shapes = " and ".join(str(list(tensor.shape)) for tensor in inputs.tensors)
        raise UserModelError(
            f"{words} gives tensors of shape {shapes}, of different batch sizes; put the batch first, and what has "
            f"none, such as the edges of a graph, into inputs that are called with the batch size."
        )
    return inputs


def inputs_by_size(make: Callable[[int], object], sizes: Sequence[int], words: str) -> dict[int, Inputs]:
    """Return a batch of each size. A tensor of one shape at all sizes is shared: it is no part of the batch.

    Raises ``UserModelError`` for batches of other sizes.
    """
    made = {size: _with_constants_alone(make(size), words).in_batches_of(size) for size in sizes}
    shared = frozenset().union(*(inputs.shared for inputs in made.values()))
    for size, inputs in made.items():
        shown = words.replace("()", f"({size})", 1)
        for number, tensor in enumerate(inputs.tensors):
            alike = len({other.tensors[number].shape for other in made.values() if number < len(other.tensors)}) == 1
            if (number in shared and not alike) or len(shared) == len(inputs.tensors):
                raise UserModelError(
                    f"{shown} returned a tensor of shape {list(tensor.shape)}, "
                    f"{f'a batch of {len(tensor)}' if tensor.dim() else 'no batch'} where {size} was asked for; "
                    f"return the batch first, of the size that is given."
                )
    return {size: Inputs(inputs.args, inputs.kwargs, shared) for size, inputs in made.items()}


def calibration_batch(value: object, example: Inputs, model: nn.Module, words: str, inputs_words: str) -> Inputs:
    """Return a batch with the arguments that ``example`` has; raises ``UserModelError`` where names cannot tell.

    Of a batch with names those that ``example`` does not have, such as the labels, are left out.
    """
    if isinstance(value, Mapping):
        value = _as_called(value, example, model, words, inputs_words)
    batch = inputs_in(value, words) if not example.shared else _shared_as(value, example, words)
    if len(batch.tensors) > len(example.tensors):
        raise UserModelError(
            f"{words} gives batches of {counted(len(batch.tensors), 'tensor')}, and {inputs_words} of "
            f"{counted(len(example.tensors), 'tensor')}: they are inputs alone; leave the labels out."
        )
    return batch


def _shared_as(value: object, example: Inputs, words: str) -> Inputs:
    batch = _with_constants_alone(value, words)
    if len(batch.tensors) != len(example.tensors):
        return inputs_in(value, words)
    return Inputs(batch.args, batch.kwargs, example.shared)


def _as_called(batch: Mapping[Any, Any], example: Inputs, model: nn.Module, words: str, inputs_words: str) -> object:
    """Return what ``example`` names of a batch; by position if it goes by position and the model's names tell."""
    names = list(example.kwargs) or list(inspect.signature(model.forward).parameters)[: len(example.args)]
    chosen = {name: batch[name] for name in names if name in batch}
    if not chosen:
        raise UserModelError(
            f"{words} gives a dict of {', '.join(map(str, batch))}, and {inputs_words} gives "
            f"{', '.join(names) or 'no names'}; call them alike."
        )
    return chosen if example.kwargs else tuple(chosen.values())


def _with_constants_alone(value: object, words: str) -> Inputs:
    """Return the arguments; raises ``UserModelError`` if one is neither tensor nor constant, or none is a tensor."""
    inputs = Inputs.of(value)
    for leaf in _leaves((*inputs.args, *inputs.kwargs.values())):
        if not isinstance(leaf, (Tensor, *CONSTANTS)):
            raise UserModelError(f"{words} gives a {type(leaf).__name__} instead of {ARGUMENTS}; return one of these.")
    if not inputs.tensors:
        kinds = [f"a {type(leaf).__name__}" for leaf in _leaves((*inputs.args, *inputs.kwargs.values()))]
        hint = " (a tokenizer gives tensors with return_tensors='pt')" if isinstance(value, Mapping) else ""
        raise UserModelError(
            f"{words} gives {(kinds or ['nothing'])[0]} instead of {ARGUMENTS}{hint}; return one of these."
        )
    return inputs


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def on_cpu(inputs: Inputs, words: str) -> Inputs:
    """Return inputs on the CPU, wherever they are; raises ``UserModelError`` for tensors without values."""
    if any(tensor.is_meta for tensor in inputs.tensors):
        raise UserModelError(f"{words} gives tensors on the meta device, which have no values; make them on the CPU.")
    return inputs.changed(lambda value: value.cpu())
