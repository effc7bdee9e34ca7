"""The architecture: packages import only those before them, and nothing goes in circles."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.repository import ROOT

PACKAGES = (
    "models",
    "tasks",
    "stats",
    "core",
    "results",
    "options",
    "techniques",
    "storage",
    "measuring",
    "runtimes",
    "comparing",
    "report",
    "worker",
    "running",
    "fleet",
    "studies",
    "cli",
    "pytest_plugin",
)
"""In the order of imports; docs/architecture.md says what each is for."""
LAYERS = 12


def modules() -> dict[str, Path]:
    """Return every module of the installed package by its name; links are followed."""
    named = {}
    for top in (ROOT / "bench", ROOT / "models", ROOT / "tasks"):
        for path in top.rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts if parts[0] == "bench" else ("bench", *parts))
            named[name.removesuffix(".__init__")] = path
    return named


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports of the project, within functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in within]
        yield from (name for name in names if name.partition(".")[0] in ("bench", "models", "tasks"))


IMPORTS = {name: set(imports(path)) - {name} for name, path in MODULES.items()}


def package(module: str) -> str:
    return [*module.split("."), ""][1]


def test_models_and_tasks_have_one_name() -> None:
    foreign = {name: found for name, used in IMPORTS.items() if (found := {one for one in used if one not in MODULES})}
    assert not foreign, "bench.models and bench.tasks are what Python calls them"


def test_the_page_lists_the_packages_in_this_order() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `(?:bench/)?(\w+)/` \|", page, re.MULTILINE)) == PACKAGES


def test_every_module_is_in_a_package() -> None:
    assert {package(name) for name in MODULES} - {"", "__main__"} == set(PACKAGES)


def test_packages_import_only_those_before_them() -> None:
    upwards = {
        f"{name} imports {used}"
        for name in MODULES
        for used in IMPORTS[name]
        if package(name) in PACKAGES
        and (package(used) not in PACKAGES or PACKAGES.index(package(used)) > PACKAGES.index(package(name)))
    }
    assert not upwards


def test_nothing_goes_in_circles() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join((*path[path.index(name) :], name))
        if name not in done:
            for used in IMPORTS[name]:
                visit(used, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_the_packages_are_of_few_layers() -> None:
    below = {
        here: {package(used) for name in MODULES if package(name) == here for used in IMPORTS[name]} - {here, ""}
        for here in PACKAGES
    }

    @functools.cache
    def layer(here: str) -> int:
        return 1 + max((layer(other) for other in below[here]), default=0)

    assert max(map(layer, PACKAGES)) <= LAYERS
