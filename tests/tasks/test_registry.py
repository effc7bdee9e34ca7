from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import bench.tasks.registry
from bench.tasks.errors import QuantbenchError, UnknownNameError
from bench.tasks.registry import Registry
from bench.tasks.task import TASKS

PACKAGE = {
    "orchard/__init__.py": """
from dataclasses import dataclass
from bench.tasks.registry import Registry

@dataclass(frozen=True)
class Fruit:
    name: str

FRUITS = Registry("fruit", "orchard", "orchard.fruits")
""",
    "orchard/apple.py": "from orchard import FRUITS, Fruit\nFRUITS.add(Fruit('apple'))\n",
    "orchard/pear.py": "from orchard import FRUITS, Fruit\nFRUITS.add(Fruit('pear'))\n",
    "plugin_good.py": "from orchard import FRUITS, Fruit\nFRUITS.add(Fruit('mango'))\n",
    "plugin_twin.py": "from orchard import FRUITS, Fruit\nFRUITS.add(Fruit('apple'))\n",
    "plugin_broken.py": "raise OSError('no ladder')\n",
}

Install = Callable[[str], None]


@pytest.fixture
def orchard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package with a registry, two modules that add to it, and plug-ins that may be installed."""
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("orchard")
    for name in [name for name in sys.modules if name.startswith(("orchard", "plugin_"))]:
        del sys.modules[name]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    def install(module: str) -> None:
        point = EntryPoint(name="exotic", value=module, group="orchard.fruits")
        monkeypatch.setattr(bench.tasks.registry, "entry_points", lambda group: [point] if group == point.group else [])

    return install


def names(registry: Registry[Any]) -> list[str]:
    return sorted(item.name for item in registry)


def test_the_modules_of_the_package_are_imported_when_a_name_is_asked_for(orchard: Any) -> None:
    assert "orchard.apple" not in sys.modules
    assert orchard.FRUITS.get("apple").name == "apple"


def test_iteration_yields_every_item(orchard: Any) -> None:
    assert names(orchard.FRUITS) == ["apple", "pear"]


def test_a_second_item_of_the_same_name_is_an_error(orchard: Any) -> None:
    orchard.FRUITS.add(orchard.Fruit("plum"))
    with pytest.raises(ValueError, match="two fruits called 'plum'"):
        orchard.FRUITS.add(orchard.Fruit("plum"))


def test_add_returns_the_item(orchard: Any) -> None:
    plum = orchard.Fruit("plum")
    assert orchard.FRUITS.add(plum) is plum


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("aple", "there is no fruit 'aple'; did you mean 'apple'?"),
        ("xyz", "there is no fruit 'xyz'; choose from apple, pear."),
    ],
)
def test_an_unknown_name_is_answered_with_help(orchard: Any, name: str, answer: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        orchard.FRUITS.get(name)
    assert str(caught.value) == answer


def test_an_entry_point_adds_to_the_registry(orchard: Any, install: Install) -> None:
    install("plugin_good")
    assert names(orchard.FRUITS) == ["apple", "mango", "pear"]


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        ("plugin_broken", "OSError: no ladder"),
        ("plugin_twin", "ValueError: there are two fruits called 'apple'"),
        ("plugin_missing", "ModuleNotFoundError: No module named 'plugin_missing'"),
    ],
)
def test_an_entry_point_that_cannot_be_loaded_is_named_with_the_cause_and_the_way_out(
    orchard: Any, install: Install, module: str, cause: str
) -> None:
    install(module)
    with pytest.raises(QuantbenchError) as caught:
        orchard.FRUITS.get("apple")
    assert str(caught.value) == (
        f"the fruit plug-in 'exotic' ({module}) cannot be imported ({cause}); "
        "fix or uninstall the package that brings it."
    )


def test_the_tasks_of_this_package() -> None:
    assert names(TASKS) == ["cifar10", "cifar100", "minicifar", "mnist", "sst2"]


def test_a_misspelt_task() -> None:
    with pytest.raises(UnknownNameError, match="there is no task 'mnits'; did you mean 'mnist'"):
        TASKS.get("mnits")
