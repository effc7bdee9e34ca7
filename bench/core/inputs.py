"""What a model is called with: a batch, in positional and named arguments."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from bench.core.tensors import changed, tensors_in


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call. They may be nested, and hold constants such as ``use_cache=False`` beside tensors."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    shared: frozenset[int] = frozenset()
    """Which of ``tensors`` have no batch dimension, such as a scalar or a graph's edges; the others are batch first."""

    @classmethod
    def of(cls, value: object) -> Inputs:
        """Read arguments: a tensor, a tuple or list by position, a dict by name, or the pair ``(args, kwargs)``.

        A tensor is taken for shared if it has not as many rows as the first tensor that has rows.
        """
        match value:
            case Inputs():
                return value
            case [tuple() | list() as args, Mapping() as kwargs]:
                inputs = cls(tuple(args), dict(kwargs))
            case tuple() | list():
                inputs = cls(tuple(value))
            case Mapping():
                inputs = cls(kwargs=dict(value))
            case _:
                inputs = cls((value,))
        return inputs.in_batches_of(next((len(tensor) for tensor in inputs.tensors if tensor.dim()), 0))

    def in_batches_of(self, size: int) -> Inputs:
        """Return the same arguments, those tensors being shared that have not ``size`` rows."""
        shared = (number for number, tensor in enumerate(self.tensors) if not tensor.dim() or len(tensor) != size)
        return replace(self, shared=frozenset(shared))

    @functools.cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors within, in the order of the call."""
        return tuple(tensors_in((self.args, self.kwargs)))

    @property
    def batched(self) -> tuple[Tensor, ...]:
        """The tensors that are batch first."""
        return tuple(tensor for number, tensor in enumerate(self.tensors) if number not in self.shared)

    @property
    def batch_size(self) -> int:
        """How many examples there are."""
        return len(self.batched[0])

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each tensor: that of its argument, or ``input0``, ``input1``, … for positions."""
        by_position = sum(1 for _ in tensors_in(self.args))
        named = []
        for name, value in self.kwargs.items():
            inside = sum(1 for _ in tensors_in(value))
            named += [name] if isinstance(value, Tensor) else [f"{name}.{number}" for number in range(inside)]
        return (*(f"input{number}" for number in range(by_position)), *named)

    def ordered(self, names: Sequence[str]) -> list[Tensor]:
        """Return the tensors in the order of ``names``, those of a graph's inputs; positions may stand for names.

        Raises ``ValueError`` if the graph takes others.
        """
        by_name = dict(zip(self.names, self.tensors, strict=True))
        if by_name.keys() >= set(names):
            return [by_name[name] for name in names]
        if self.kwargs or len(names) != len(by_name):
            raise ValueError(
                f"the exported graph takes {', '.join(names)}, and was called with {', '.join(by_name)}; "
                f"call the model with what inputs gives"
            )
        return list(self.tensors)

    def call(self, function: Callable[..., Any]) -> Any:
        """Call ``function`` with the arguments."""
        return function(*self.args, **self.kwargs)

    def bind(self, function: Callable[..., Any]) -> Callable[[], Any]:
        """Return ``function`` with its arguments."""
        return functools.partial(function, *self.args, **self.kwargs)

    def changed(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        """Return the same arguments with ``change`` made to each tensor."""
        args, kwargs = changed((self.args, dict(self.kwargs)), change)
        return replace(self, args=args, kwargs=kwargs)

    def with_tensors(self, tensors: Sequence[Tensor]) -> Inputs:
        """Return the same arguments with other tensors."""
        remaining = iter(tensors)
        return self.changed(lambda _: next(remaining))

    def rows(self, index: slice | Tensor) -> Inputs:
        """Return the examples of ``index``."""
        number = itertools.count()

        def chosen(tensor: Tensor) -> Tensor:
            if next(number) in self.shared:
                return tensor
            return tensor[index.to(tensor.device) if isinstance(index, Tensor) else index]

        return self.changed(chosen)

    def repeated(self, size: int) -> Inputs:
        """Return ``size`` examples: these, over and over where there are fewer."""
        return self.rows(torch.arange(size) % self.batch_size)

    def split(self, size: int) -> Iterator[Inputs]:
        """Yield at most ``size`` examples at a time."""
        for start in range(0, self.batch_size, size):
            yield self.rows(slice(start, start + size))

    def cast(self, device: torch.device, dtype: torch.dtype) -> Inputs:
        """Return the inputs on ``device``, floating-point tensors as ``dtype``; integers, as token ids, stay those."""
        return self.changed(lambda value: value.to(device, dtype if value.is_floating_point() else None))

    def describe(self) -> str:
        """Return types and shapes: ``float32 [batch, 3, 32, 32]``, and names where there are some."""
        described = []
        for number, (name, tensor) in enumerate(zip(self.names, self.tensors, strict=True)):
            shape = tensor.shape if number in self.shared else ("batch", *tensor.shape[1:])
            title = f"{name} " if self.kwargs else ""
            described.append(f"{title}{str(tensor.dtype).removeprefix('torch.')} [{', '.join(map(str, shape))}]")
        return ", ".join(described)
