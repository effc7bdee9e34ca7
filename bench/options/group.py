"""A group of options: a frozen class whose fields are options; larger groups inherit from smaller ones."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from bench.options.docstrings import field_docstrings
from bench.options.option import Option, option, several

T = TypeVar("T", bound="Options")


def _declared(group: type) -> tuple[Option, ...]:
    fields = {field.name: field for field in dataclasses.fields(group)}
    texts: dict[str, tuple[str, str]] = {}
    for cls in group.__mro__:
        docstrings = field_docstrings(cls)
        for name in inspect.get_annotations(cls):
            if name in fields:
                texts.setdefault(name, (docstrings.get(name, ""), vars(cls).get("panel", "")))
    positional = [name for name, field in fields.items() if not field.kw_only]
    return tuple(Option.of(fields[name], *texts[name]) for name in dict.fromkeys([*positional, *texts]))


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def option_group(cls: type[T]) -> type[T]:
    """Make a class of options frozen, with keyword arguments alone where ``option`` does not say otherwise."""
    group = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    group.declared = _declared(group)
    return group


@option_group
class Options:
    """Options that make sense: one that does not raises ``RequestError`` when the object is made."""

    declared: ClassVar[tuple[Option, ...]]
    """Positional ones first, then those that the class itself declares, then those that it inherits."""
    panel: ClassVar[str] = ""
    """The part of a command's help that has the options which the class itself declares."""

    progress: bool | None = option(default=None, flag=None)
    """Show progress bars; by default on a terminal, and a line a stage elsewhere."""

    def __post_init__(self) -> None:
        for declared in self.declared:
            value = getattr(self, declared.name)
            if isinstance(declared.default, tuple) and isinstance(value, Iterator):  # which can be read once
                object.__setattr__(self, declared.name, tuple(value))
            declared.require(getattr(self, declared.name))

    def replaced(self, **changes: Any) -> Self:
        """Return the same options but for ``changes``."""
        return type(self)(**(self.shared(type(self)) | changes))

    def shared(self, group: type[Options]) -> dict[str, Any]:
        """Return the values of the options that ``group`` has too, by name."""
        names = [declared.name for declared in group.declared]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def given(self, names: Iterable[str]) -> list[str]:
        """Return the flags of those options, as far as there are any here, that are not at their defaults."""
        options = {declared.name: declared for declared in self.declared}
        changed = [
            name for name in names if name in options and several(getattr(self, name)) != several(options[name].default)
        ]
        return [flag for name in changed if (flag := options[name].flag)]


def names_of(group: type[Options]) -> tuple[str, ...]:
    """Return the names of a group's options, without those that all groups have."""
    common = {declared.name for declared in Options.declared}
    return tuple(declared.name for declared in group.declared if declared.name not in common)
