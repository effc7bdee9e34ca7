"""What the command says of itself: its help in groups, and the names that a shell completes."""

from __future__ import annotations

import re

import pytest

from bench.cli.completion import NAMES
from bench.options import studies
from bench.options.run import RunOptions
from bench.tasks.recipes import RECIPES
from tests.bench.conftest import Command

SCREENS = 2 * 50
"""Lines of two screens."""


@pytest.fixture
def help_of_run(command: Command, monkeypatch: pytest.MonkeyPatch) -> str:
    """On a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setenv("TERM", "dumb")
    code, out, _ = command("run", "--help")
    assert code == 0
    return out


def test_the_help_of_run_fits_two_screens(help_of_run: str) -> None:
    lines = help_of_run.splitlines()
    assert len(lines) <= SCREENS
    assert max(map(len, lines)) <= 100


def test_the_help_of_run_begins_with_what_most_need(help_of_run: str) -> None:
    titles = re.findall(r"^╭─ ([\w ]+?) ─", help_of_run, re.MULTILINE)
    assert titles == ["Options", "A model of your own", "Measurement", "Trainings and data"]
    first, *others = re.split(r"^╭─.*$", help_of_run, flags=re.MULTILINE)[1:]
    most_needed = {"--suite", "--task", "--model", "--technique", "--runtime", "--out", "--batch", "--precision"}
    assert most_needed <= set(re.findall(r"^│ (--[\w-]+)", first, re.MULTILINE))
    for flags, group in zip(({"--inputs"}, {"--budget", "--isa"}, {"--epochs", "--data"}), others, strict=True):
        assert flags <= set(re.findall(r"^│ (--[\w-]+)", group, re.MULTILINE))


def completed(command: Command, monkeypatch: pytest.MonkeyPatch, line: str) -> set[str]:
    """Return what bash would offer behind a line."""
    words = line.split(" ")
    monkeypatch.setenv("_BENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    code, out, _ = command()
    assert code == 0
    return set(out.split())


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("bench r", {"run", "recommend", "report"}),
        ("bench run --suite q", {"quick"}),
        ("bench run --task m", {"mnist", "minicifar"}),
        ("bench run --model mnist/", {"mnist/lab1", "mnist/lab2"}),
        ("bench run --technique dynamic", {"dynamic-fp16", "dynamic-qint8"}),
        ("bench run --runtime o", {"onnxruntime", "openvino"}),
        ("bench train mnist/", {"mnist/lab1", "mnist/lab2"}),
        ("bench train mnist/lab1 --recipe warm-1", {"warm-1bit"}),
        ("bench sensitivity --model sst2/lab1", {"sst2/lab1"}),
        ("bench fleet run --suite q", {"quick"}),
    ],
)
def test_a_shell_completes_names(command: Command, monkeypatch: pytest.MonkeyPatch, line: str, names: set[str]) -> None:
    assert completed(command, monkeypatch, line) >= names
    incomplete = line.split(" ")[-1]
    assert all(name.startswith(incomplete) for name in completed(command, monkeypatch, line))


def test_the_names_of_every_option_that_says_so_are_known() -> None:
    groups = [RunOptions, *(getattr(studies, name) for name in dir(studies) if name.endswith("Options"))]
    said = {option.names for group in groups for option in group.declared if option.names}
    assert said == set(NAMES)
    assert all(names() for names in NAMES.values())


def test_the_help_of_train_names_every_recipe(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command("train", "--help")
    assert code == 0
    assert [recipe.name for recipe in RECIPES if recipe.name not in out] == []
