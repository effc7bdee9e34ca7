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

from bench.cli.completion import NAMES
from bench.core.errors import RequestError
from bench.options.option import Option, several


def from_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` for typer: its parameter ``options`` is made of the options of the class it is annotated with.

    Its other parameters are typer's as they stand.
    """
    signature = inspect.signature(command, eval_str=True)
    group = signature.parameters["options"].annotation
    on_command_line = [option for option in group.declared if option.flag]
    by_name = {option.name: option for option in on_command_line}

    alternatives = {option.name: f"{option.name}_by_name" for option in on_command_line if option.also}

    def called(**values: Any) -> None:
        for name, other in alternatives.items():
            values[name] = _one_of(by_name[name], values[name], values.pop(other))
        given = {option.name: _read(option, values.pop(option.name)) for option in on_command_line}
        command(group(**{name: value for name, value in given.items() if value not in (None, ())}), **values)

    parameters = [_parameter(option) for option in on_command_line]
    parameters += [_alternative(by_name[name], other) for name, other in alternatives.items()]
    others = [
        parameter.replace(kind=parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name != "options"
    ]
    attributes: Any = called
    attributes.__doc__ = command.__doc__
    attributes.__signature__ = inspect.Signature([*parameters, *others])
    attributes.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *others]}
    return called


def _one_of(option: Option, argument: Any, by_name: Any) -> Any:
    """Return what was given in one of two ways; raises ``RequestError`` for none and for both."""
    if (argument is None) == (by_name is None):
        problem = "is missing" if argument is None else f"and {option.also} are both given"
        raise RequestError(f"{option.flag} {problem}; give one of {option.flag} and {option.also}.")
    return by_name if argument is None else argument


def _alternative(option: Option, name: str) -> inspect.Parameter:
    """Return the option that may stand for an argument."""
    complete = NAMES.get(option.names)
    info: Any = typer.Option(option.also, help=f"The same as {option.flag}.", autocompletion=complete)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[_value_type(option.type)[0] | None, info],
    )


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
    default = None if option.also else option.default
    if option.notation is not None:
        kind, repeatable = str, False
        default = default if default in (None, MISSING) else option.notation.write(default)
    elif repeatable:
        kind, default = list[kind], [kind(one) for one in several(default)] or None  # type: ignore[valid-type]
    text = f"{option.help.removesuffix('.')}; repeatable." if repeatable else option.help
    text += f"  \\[default: {option.unset}]" * bool(option.unset)
    flag = str(option.flag)
    shown: Any = {"help": text, "rich_help_panel": option.panel or None, "autocompletion": NAMES.get(option.names)}
    info = typer.Option(flag, **shown) if flag.startswith("--") else typer.Argument(metavar=flag, **shown)
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
