"""What the user brings: callables in files, or objects of the calling process. They are loaded by workers alone."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from bench.core.errors import RequestError, UnknownNameError, UserModelError
from bench.core.tracebacks import describe_exception
from bench.worker.user.definition import definition

OURS = ("models", "tasks")
"""Packages of ours whose names a user's own modules may well have."""


class Part(Protocol):
    """One of them."""

    @property
    def path(self) -> Path:
        """The file that it is in."""
        ...

    @property
    def title(self) -> str:
        """What a run file calls it, such as ``net.py:build``."""
        ...

    @property
    def words(self) -> str:
        """What a sentence calls it, such as ``build() of net.py``."""
        ...

    @property
    def definition(self) -> bytes:
        """What changes with it, and as little as can be with anything else."""
        ...

    def load(self) -> Any:
        """Return it; raises ``UserModelError``."""
        ...


@dataclass(frozen=True)
class FilePart:
    """A callable in a Python file."""

    path: Path
    name: str

    @classmethod
    def parse(cls, option: str, text: str) -> FilePart:
        """Read ``path/to/file.py:callable``; raises ``RequestError`` naming the option."""
        path, colon, name = text.rpartition(":")
        if not colon or not path.endswith(".py") or not name:
            raise RequestError(f"{option} {text!r} names no callable in a file; write it as path/to/file.py:callable.")
        if not Path(path).is_file():
            raise RequestError(f"{option} {text}: there is no file {path}; fix the path.")
        return cls(Path(path).resolve(), name)

    @property
    def title(self) -> str:
        """File and callable."""
        return f"{self.path.name}:{self.name}"

    @property
    def words(self) -> str:
        """Callable and file."""
        return f"{self.name}() of {self.path.name}"

    @property
    def definition(self) -> bytes:
        """Its text, and that of what it uses of its file."""
        return definition(self.path, self.name).encode()

    def load(self) -> Any:
        """Import the file, if this process has not yet, and return the callable."""
        loaded: Any = _import(self.path)
        for word in self.name.split("."):
            if not hasattr(loaded, word):
                if known := _callables(loaded):
                    raise UnknownNameError(f"callable of {self.path.name} called", self.name, known)
                raise UserModelError(f"{self.path} has no callable {self.name!r}, nor any other; fix the file.")
            loaded = getattr(loaded, word)
        if not callable(loaded):
            kind = type(loaded).__name__
            raise UserModelError(f"{self.title} is no callable but of type {kind}; name a function or a class.")
        return loaded


@dataclass(frozen=True)
class PickledPart:
    """An object of the process that called ``bench.measure``.

    A class that stands in a notebook or a script cannot be imported by a worker, so cloudpickle takes it along. The
    pickle lies in a private folder, was written by this very process, and goes with the run; no other is ever opened.
    """

    path: Path
    title: str
    words: str
    search_path: tuple[str, ...]
    """The caller's ``sys.path``: its classes that do stand in modules are imported from there."""
    text: str = ""
    """Of a function or class; empty for any other object."""

    @property
    def definition(self) -> bytes:
        """Its text, which a pickle does not always have; the pickle where there is none."""
        return self.text.encode() or self.path.read_bytes()

    @classmethod
    def save(cls, value: object, path: Path, title: str, words: str) -> PickledPart:
        """Write ``value`` to ``path``; raises ``UserModelError`` for what cannot be handed to another process."""
        import cloudpickle

        try:
            path.write_bytes(cloudpickle.dumps(value))
        except Exception as error:
            raise UserModelError(
                f"{words} cannot be handed to worker processes ({describe_exception(error)}); "
                f"write it to a file and use 'bench run --model FILE.py:CALLABLE'."
            ) from error
        return cls(path, title, words, tuple(sys.path), _text(value))

    def load(self) -> Any:
        """Rebuild it."""
        for folder in self.search_path:
            if folder not in sys.path:
                sys.path.append(folder)
        try:
            return pickle.loads(self.path.read_bytes())  # noqa: S301 — our own; see the class
        except Exception as error:
            raise UserModelError(
                f"{self.words} cannot be rebuilt in a worker process ({describe_exception(error)}); "
                f"write it to a file and use 'bench run --model FILE.py:CALLABLE'."
            ) from error


def _text(value: object) -> str:
    """Return the source of a function or class; empty where there is none."""
    try:
        return inspect.getsource(value) if inspect.isroutine(value) or inspect.isclass(value) else ""
    except (OSError, TypeError):
        return ""


def called(words: str, function: Callable[..., Any], *arguments: object) -> Any:
    """Call what the user wrote; raises ``UserModelError`` for all that it raises, an exit of the process included."""
    try:
        with quiet():
            return function(*arguments)
    except (Exception, SystemExit) as error:
        raise UserModelError(f"{words} raised {describe_exception(error)}; fix it.") from error


def _import(path: Path) -> ModuleType:
    """Import a file as Python would a script; one in a package by its dotted name, so that relative imports work.

    The folder that it is imported from comes first among those that are searched.
    """
    known = next(
        (module for module in list(sys.modules.values()) if getattr(module, "__file__", None) == str(path)), None
    )
    if known is not None:
        return known
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    sys.path.insert(0, str(root))
    sys.path.append(str(path.parent))  # some packages' files import their neighbours as scripts do
    for name in OURS:
        if (root / f"{name}.py").is_file() or (root / name).is_dir():
            for ours in [module for module in sys.modules if module.partition(".")[0] == name]:
                del sys.modules[ours]  # what was imported from it goes on working
    try:
        with quiet():
            return _alone(path) if root == path.parent else _in_package(path, root)
    except UserModelError:
        raise
    except (Exception, SystemExit) as error:
        raise UserModelError(f"{path} cannot be imported ({describe_exception(error)}); fix the file.") from error


def _alone(path: Path) -> ModuleType:
    name = path.stem if path.stem not in sys.modules else f"own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserModelError(f"{path} is no Python file; name one.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _in_package(path: Path, root: Path) -> ModuleType:
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    module = importlib.import_module(name)
    if module.__file__ != str(path):
        raise UserModelError(f"{path} is in a package {parts[0]!r}, and another is called so; rename its folder.")
    return module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what the user's code prints to standard error: standard output is the table's."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _callables(module: object) -> list[str]:
    name_of_module = getattr(module, "__name__", None)
    names = vars(module) if hasattr(module, "__dict__") else {}
    return [
        name
        for name, value in names.items()
        if callable(value) and getattr(value, "__module__", name_of_module) == name_of_module
    ]
