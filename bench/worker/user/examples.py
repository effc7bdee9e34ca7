"""Example inputs of a user's model: made once, checked, and shared among all variants through one file."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from bench.core.errors import UserModelError
from bench.core.inputs import Inputs
from bench.tasks.task import CALIBRATION_EXAMPLES
from bench.worker.user.callables import Part, called
from bench.worker.user.given import ARGUMENTS, inputs_by_size, inputs_in

PROBE = 32
"""Rows whose outputs a packed file must reproduce to the bit, or as many as the largest batch has."""

FORMS = "quantbench-inputs"
"""Among the file's metadata: where its tensors stand in a call."""


class Examples:
    """The inputs of each batch size, and the batches to calibrate with."""

    def __init__(self, batches: dict[int, Inputs], calibration: Sequence[Inputs]) -> None:
        self._batches = batches
        self._calibration = calibration

    def batch(self, size: int) -> Inputs:
        """Return a batch that was made, of ``size`` or the next size: a model may take no other."""
        return self._batches[min((made for made in self._batches if made >= size), default=max(self._batches))]

    def one(self) -> Inputs:
        """Return a batch of one, which a model may not take."""
        return self.batch(1).rows(slice(1))

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
            for position, value in enumerate(inputs.tensors)
        }
        forms = {name: _form(inputs) for name, inputs in named.items()}
        safetensors.torch.save_file(tensors, path, metadata={FORMS: json.dumps(forms)})

    @classmethod
    def open(cls, path: Path) -> Examples:
        """Read them again."""
        tensors = safetensors.torch.load_file(path)
        with safetensors.safe_open(path, framework="pt") as file:
            forms = json.loads(file.metadata()[FORMS])
        batches: dict[int, Inputs] = {}
        calibration: list[Inputs] = []
        for name, form in forms.items():
            values = (tensors[f"{name} {position}"] for position in itertools.count())
            args, kwargs = (_restored(form[part], values) for part in ("args", "kwargs"))
            inputs = Inputs(args, kwargs, frozenset(form["shared"]))
            kind, number = name.split()
            if kind == "batch":
                batches[int(number)] = inputs
            else:
                calibration.append(inputs)
        return cls(batches, calibration)

    def describe(self) -> str:
        """Return types and shapes: ``float32 [batch, 3, 32, 32]``."""
        return self.largest().describe()


def _form(inputs: Inputs) -> dict[str, Any]:
    """Return where the tensors of a call stand, and the constants beside them, as JSON."""
    return {"args": _stored(inputs.args), "kwargs": _stored(inputs.kwargs), "shared": sorted(inputs.shared)}


def _stored(value: object) -> list[Any]:
    if isinstance(value, Tensor):
        return ["tensor"]
    if isinstance(value, Mapping):
        return ["dict", {key: _stored(part) for key, part in value.items()}]
    if isinstance(value, tuple | list):
        return ["tuple" if isinstance(value, tuple) else "list", [_stored(part) for part in value]]
    return ["constant", value]


def _restored(form: list[Any], tensors: Iterator[Tensor]) -> Any:
    match form:
        case ["tensor"]:
            return next(tensors)
        case ["dict", parts]:
            return {key: _restored(part, tensors) for key, part in parts.items()}
        case ["tuple", parts]:
            return tuple(_restored(part, tensors) for part in parts)
        case ["list", parts]:
            return [_restored(part, tensors) for part in parts]
    return form[1]


def make_batches(part: Part, sizes: Sequence[int]) -> dict[int, Inputs]:
    """Return a batch of each size; raises ``UserModelError`` for a callable that does not return what it should."""
    given = part.load()
    if callable(given) and _takes_size(given, part.words):
        return inputs_by_size(lambda size: _call(given, part.words, size), sizes, part.words)
    example = inputs_in(_call(given, part.words) if callable(given) else given, part.words)
    return {size: example.repeated(size) for size in sizes}


def make_calibration(part: Part, read: Callable[[object], Inputs]) -> list[Inputs]:
    """Return the batches to calibrate with, up to ``CALIBRATION_EXAMPLES`` examples; raises ``UserModelError``."""
    given = part.load()
    return calibration_in(_call(given, part.words) if callable(given) else given, part.words, read)


def calibration_in(batches: object, words: str, read: Callable[[object], Inputs]) -> list[Inputs]:
    """Return the batches of a list or a generator, each ``read``, up to ``CALIBRATION_EXAMPLES`` examples."""
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
        checked.append(read(batch))
        rows += checked[-1].batch_size
    if not checked:
        raise UserModelError(f"{words} yielded no batch; yield at least one, {ARGUMENTS}.")
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
            f"{words} wants {', '.join(required)}, and is given the batch size alone; give it one parameter or none."
        )
    return bool(parameters)
