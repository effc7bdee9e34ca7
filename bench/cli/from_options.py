"""Commands whose options are those of a group in ``bench.options``."""

from __future__ import annotations

import enum
import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from bench.core.errors import RequestError
from bench.options.option import Option, several


def from_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` for typer: its parameter ``options`` is made of the options of the class it is annotated with.

    Its other parameters are typer's as they stand.
    """
    signature = inspect.signature(command, eval_str=True)
    group = signature.parameters["options"].annotation
    on_command_line = [each for each in group.declared if each.flag]

    def called(**values: Any) -> None:
        given = {each.name: _read(each, values.pop(each.name)) for each in on_command_line}
        command(group(**{name: value for name, value in given.items() if value not in (None, ())}), **values)

    parameters = [_parameter(each) for each in on_command_line]
    others = [
        parameter.replace(kind=parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name != "options"
    ]
    attributes: Any = called
    attributes.__doc__ = command.__doc__
    attributes.__signature__ = inspect.Signature([*parameters, *others])
    attributes.__annotations__ = {each.name: each.annotation for each in [*parameters, *others]}
    return called


def _read(option: Option, value: Any) -> Any:
    """Return a value as the library has it."""
    if isinstance(value, list):
        return tuple(_read(option, one) for one in value)
    if isinstance(value, enum.StrEnum):
        return value.value
    if option.notation is None or value is None:
        return value
    try:
        return option.notation.read(value)
    except ValueError:
        raise RequestError(f"{option.title} {value!r} must be {option.notation.description}.") from None


def _parameter(option: Option) -> inspect.Parameter:
    """Return the parameter that typer makes a command's option or argument of."""
    kind, repeatable = _value_type(option.type)
    default = option.default
    if option.notation is not None:
        kind, repeatable = str, False
        default = default if default in (None, MISSING) else option.notation.write(default)
    elif repeatable:
        kind, default = list[kind], [kind(one) for one in several(default)] or None  # type: ignore[valid-type]
    text = f"{option.help.removesuffix('.')}; repeatable." if repeatable else option.help
    text += f"  \\[default: {option.unset}]" * bool(option.unset)
    flag = str(option.flag)
    info: Any = typer.Option(flag, help=text) if flag.startswith("--") else typer.Argument(metavar=flag, help=text)
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=Annotated[kind | None if default is None else kind, info],
    )


def _value_type(annotation: Any) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be several: ``str | Sequence[str]`` is ``(str, True)``."""
    union = get_origin(annotation) in (Union, types.UnionType)
    members = [member for member in get_args(annotation) if member is not type(None)] if union else [annotation]
    for member in members:
        if get_origin(member) is Sequence:
            return _choice(get_args(member)[0]), True
    return (Path if Path in members else _choice(members[0])), False


def _choice(kind: Any) -> Any:
    """Return what typer takes for a ``Literal``, of which it reads no lists."""
    return enum.StrEnum("Choice", {word: word for word in get_args(kind)}) if get_origin(kind) is Literal else kind
