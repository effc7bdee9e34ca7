"""Functions whose arguments are the options of a group."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from bench.options.option import Option

P = ParamSpec("P")
O_contra = TypeVar("O_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class OptionsFunction(Protocol[P, O_contra, R_co]):
    """A function of a group's options, given one by one or as the object."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Make the object of the arguments, and call with that."""

    def with_options(self, options: O_contra, /) -> R_co:
        """Call with the object."""


def from_options(
    group: Callable[P, O_contra],
) -> Callable[[Callable[[O_contra], R_co]], OptionsFunction[P, O_contra, R_co]]:
    """Give a function of an options object the options as its arguments, for callers, type checkers and ``help()``."""

    def decorate(function: Callable[[O_contra], R_co]) -> OptionsFunction[P, O_contra, R_co]:
        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R_co:
            return function(group(*args, **kwargs))

        attributes: Any = called
        returned = inspect.signature(function).return_annotation
        parameters = inspect.signature(group).parameters
        attributes.__signature__ = inspect.Signature(
            [parameters[each.name] for each in cast(Any, group).declared], return_annotation=returned
        )
        attributes.__doc__ = f"{inspect.getdoc(function)}\n\n{_described(group)}"
        attributes.with_options = function
        return cast(OptionsFunction[P, O_contra, R_co], called)

    return decorate


def _described(group: Any) -> str:
    """Return the options of a group and their help, a line each."""
    lines = [f"    {each.name}: {each.help}{_default(each)}" for each in group.declared]
    return "\n".join(["Options:", *lines])


def _default(option: Option) -> str:
    return f"  [default: {option.unset}]" if option.unset else ""
