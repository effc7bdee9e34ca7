"""One option: how it is declared, and what is known of it then."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import MISSING
from typing import Any, TypeVar

from bench.core.errors import RequestError
from bench.options.notations import Notation

T = TypeVar("T")
Check = Callable[[Any], str | None]
"""Returns what a value must be if it is not, such as ``must be 1 or more; for example 5``."""


def option(
    *,
    default: Any = MISSING,
    kw_only: bool = True,
    flag: str | None = "",
    also: str = "",
    notation: Notation | None = None,
    unset: str = "",
    panel: str | None = None,
    names: str = "",
    check: Check | None = None,
    check_all: Check | None = None,
) -> Any:
    """Declare an option; its type and its docstring are those of the field.

    ``flag`` is its name on the command line, by default ``--`` and the field's name; one without dashes is an
    argument's, and ``None`` is for what the library alone has. ``also`` is an option that may stand for an argument.
    ``notation`` is how its value is written there, and ``unset`` says in words what is done without it. ``panel`` is
    its part of the help, by default its class's; ``names`` says what its values are names of, so that a shell completes
    them. ``check`` is applied to its value, or to each of several, and ``check_all`` to all together.
    """
    metadata: dict[str, Any] = {"flag": flag, "also": also, "notation": notation, "unset": unset}
    metadata |= {"panel": panel, "names": names, "check": check, "check_all": check_all}
    return dataclasses.field(default=default, kw_only=kw_only, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Option:
    """A declared option."""

    name: str
    """As an argument of the library's functions."""
    type: Any
    default: Any
    """``MISSING`` for one that must be given."""
    help: str
    """Its docstring, in one line."""
    flag: str | None
    also: str
    notation: Notation | None
    unset: str
    panel: str
    """Its part of the help; empty for the first, which has what most need."""
    names: str
    check: Check | None
    check_all: Check | None
    positional: bool

    @classmethod
    def of(cls, field: dataclasses.Field[Any], help_: str, panel: str = "") -> Option:
        """Return what a field of a class with that ``panel`` declares; one without ``option`` is checked by nothing."""
        known: dict[str, Any] = {**option().metadata, **field.metadata}
        if known["flag"] == "":
            known["flag"] = f"--{field.name.replace('_', '-')}"
        if known["panel"] is None:
            known["panel"] = panel
        return cls(field.name, field.type, field.default, help_, **known, positional=not field.kw_only)

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.flag or self.name

    def written(self, value: object) -> str:
        """Return a value as it is written on the command line."""
        if self.notation:
            return self.notation.write(value)
        return f"{value:g}" if isinstance(value, float) else str(value)

    def require(self, value: object) -> None:
        """Raise ``RequestError`` for a value that makes no sense; none is the absence of one."""
        if value is None:
            return
        if self.check_all and (problem := self.check_all(value)):
            raise RequestError(f"{self.title} {problem}.")
        for one in several(value) if self.check else ():
            if self.check and (problem := self.check(one)):
                raise RequestError(f"{self.title} {self.written(one)} {problem}.")


def several(value: T | Iterable[T]) -> list[T]:
    """Return one name or number as a list of it; a string is one name."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
