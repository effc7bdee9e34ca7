"""Names and what they stand for, found in one of our packages and in other people's entry points.

A duplicate is an error, an unknown name is answered with "did you mean".
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, Protocol, TypeVar

from bench.tasks.errors import QuantbenchError, UnknownNameError


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """What the user types."""
        ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """The items of one kind; the package's modules are imported when the first name is asked for."""

    def __init__(self, noun: str, package: str, entry_point_group: str) -> None:
        self.noun = noun
        self._package = package
        self._group = entry_point_group
        self._items: dict[str, T] = {}
        self._discovered = False

    def add(self, item: T) -> T:
        """Register ``item`` under ``item.name``; raises ``ValueError`` if the name is taken."""
        name = item.name.partition(":")[0]  # behind a colon stand options, which are no part of a name
        if name in self._items:
            raise ValueError(f"there are two {self.noun}s called {name!r}")
        self._items[name] = item
        return item

    def get(self, name: str) -> T:
        """Return the item called ``name``; raises ``UnknownNameError``."""
        self._discover()
        try:
            return self._items[name]
        except KeyError:
            raise UnknownNameError(self.noun, name, self._items) from None

    def __iter__(self) -> Iterator[T]:
        self._discover()
        return iter(self._items.values())

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True  # before the imports: an imported module may ask for a name
        try:
            self._import_all()
        except BaseException:
            self._discovered = False
            raise

    def _import_all(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.ispkg:
                importlib.import_module(f"{self._package}.{module.name}")
        for entry_point in entry_points(group=self._group):
            try:
                entry_point.load()
            except Exception as error:
                raise QuantbenchError(
                    f"the {self.noun} plug-in {entry_point.name!r} ({entry_point.value}) cannot be imported "
                    f"({type(error).__name__}: {error}); fix or uninstall the package that brings it."
                ) from error
