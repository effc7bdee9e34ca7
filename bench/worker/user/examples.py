"""Example inputs of a user's model: made once, checked, and shared among all variants through one file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from bench.core.errors import UserModelError
from bench.core.tensors import Inputs
from bench.tasks.task import CALIBRATION_EXAMPLES
from bench.worker.user.callables import Part, called

PROBE = 32
"""Rows whose outputs a packed file must reproduce to the bit, or as many as the largest batch has."""


class Examples:
    """The inputs of each batch size, and the batches to calibrate with."""

    def __init__(self, batches: dict[int, Inputs], calibration: Sequence[Inputs]) -> None:
        self._batches = batches
        self._calibration = calibration

    def batch(self, size: int) -> Inputs:
        """Return a batch of ``size``: one that was made, or the first rows of the largest."""
        return self._batches.get(size) or tuple(value[:size] for value in self.largest())

    def largest(self) -> Inputs:
        """Return the largest batch that was made."""
        return self._batches[max(self._batches)]

    def probe(self) -> Inputs:
        """Return the rows whose outputs are compared."""
        return self.batch(min(PROBE, max(self._batches)))

    def calibration(self) -> Sequence[Inputs]:
        """Return the batches to calibrate with; none if the user gave none."""
        return self._calibration

    def to_calibrate_with(self) -> Sequence[Inputs]:
        """Return the batches to calibrate with, else the largest batch."""
        return self._calibration or [self.largest()]

    def save(self, path: Path) -> None:
        """Write them to one file."""
        named = {f"batch {size}": inputs for size, inputs in self._batches.items()}
        named |= {f"calibration {number}": inputs for number, inputs in enumerate(self._calibration)}
        tensors = {
            f"{name} {position}": value.detach().cpu().contiguous().clone()
            for name, inputs in named.items()
            for position, value in enumerate(inputs)
        }
        safetensors.torch.save_file(tensors, path)

    @classmethod
    def open(cls, path: Path) -> Examples:
        """Read them again."""
        parts_by_kind: dict[str, dict[int, dict[int, Tensor]]] = {"batch": {}, "calibration": {}}
        for key, value in safetensors.torch.load_file(path).items():
            kind, number, position = key.split()
            parts_by_kind[kind].setdefault(int(number), {})[int(position)] = value
        batches, calibration = (
            {number: tuple(parts[position] for position in sorted(parts)) for number, parts in sorted(of_kind.items())}
            for of_kind in parts_by_kind.values()
        )
        return cls(batches, list(calibration.values()))

    def describe(self) -> str:
        """Return types and shapes: ``float32 [batch, 3, 32, 32]``."""
        return ", ".join(
            f"{str(value.dtype).removeprefix('torch.')} [{', '.join(['batch', *map(str, value.shape[1:])])}]"
            for value in self.largest()
        )


def make_batches(part: Part, sizes: Sequence[int]) -> dict[int, Inputs]:
    """Return a batch of each size; raises ``UserModelError`` for a callable that does not return what it should."""
    given = part.load()
    if not callable(given):
        example = inputs_in(given, part.words)
        return {size: repeated(example, size) for size in sizes}
    if not _takes_size(given, part.words):
        example = inputs_in(_call(given, part.words), part.words)
        return {size: repeated(example, size) for size in sizes}
    return {size: _of_size(_call(given, part.words, size), size, part.words) for size in sizes}


def make_calibration(part: Part) -> list[Inputs]:
    """Return the batches to calibrate with, up to ``CALIBRATION_EXAMPLES`` examples; raises ``UserModelError``."""
    given = part.load()
    return calibration_in(_call(given, part.words) if callable(given) else given, part.words)


def calibration_in(batches: object, words: str) -> list[Inputs]:
    """Return the batches of a list or a generator, up to ``CALIBRATION_EXAMPLES`` examples."""
    if isinstance(batches, Tensor | Mapping | str) or not isinstance(batches, Iterable):
        kind = type(batches).__name__
        raise UserModelError(f"{words} returned a {kind}, not batches; return a list of them, or yield them.")
    checked: list[Inputs] = []
    rows = 0
    iterator = iter(batches)
    while rows < CALIBRATION_EXAMPLES:
        batch = _call(lambda: next(iterator, None), words)
        if batch is None:
            break
        checked.append(inputs_in(batch, words))
        rows += len(checked[-1][0])
    if not checked:
        raise UserModelError(f"{words} yielded no batch; yield at least one, a tensor or a tuple of tensors.")
    return checked


def _call(function: Callable[..., Any], words: str, *arguments: object) -> Any:
    shown = words.replace("()", f"({', '.join(map(str, arguments))})", 1)
    with torch.no_grad():
        return called(shown, function, *arguments)


def _takes_size(function: Callable[..., Any], words: str) -> bool:
    every = inspect.signature(function).parameters.values()
    named = [
        parameter.name
        for parameter in every
        if parameter.kind == parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    ]
    if named:
        raise UserModelError(
            f"{words} wants {', '.join(named)} by name, and the batch size comes by position; drop the * before it."
        )
    parameters = [
        parameter
        for parameter in every
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    required = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind != parameter.VAR_POSITIONAL
    ]
    if len(required) > 1:
        raise UserModelError(
            f"{words} wants {', '.join(required)}, and is given the batch size alone; let it take that or nothing."
        )
    return bool(parameters)


def inputs_in(value: object, words: str) -> Inputs:
    """Return the tensors that make a batch; raises ``UserModelError`` for a value that is none."""
    inputs = tuple(value) if isinstance(value, tuple | list) else (value,)
    strangers = [type(item).__name__ for item in inputs if not isinstance(item, Tensor)]
    if strangers or not inputs:
        what = f"a {strangers[0]}" if strangers else "nothing"
        raise UserModelError(f"{words} gives {what} where a tensor or a tuple of tensors belongs; give that.")
    tensors = tuple(item for item in inputs if isinstance(item, Tensor))
    lengths = [len(item) if item.dim() else None for item in tensors]
    if None in lengths or len(set(lengths)) > 1 or not lengths[0]:
        shapes = " and ".join(str(list(item.shape)) for item in tensors)
        raise UserModelError(f"{words} gives tensors of shape {shapes}, of no common batch; put the batch first.")
    return tensors


def _of_size(value: object, size: int, words: str) -> Inputs:
    inputs = inputs_in(value, words)
    if len(inputs[0]) != size:
        shown = words.replace("()", f"({size})", 1)
        raise UserModelError(
            f"{shown} returned a tensor of shape {list(inputs[0].shape)}, a batch of {len(inputs[0])} where {size} was "
            f"asked for; return the batch first, of the size that is given."
        )
    return inputs


def repeated(example: Inputs, size: int) -> Inputs:
    """Return ``size`` rows: the example's, over and over where it has fewer."""
    rows = torch.arange(size) % len(example[0])
    return tuple(value[rows.to(value.device)] for value in example)
