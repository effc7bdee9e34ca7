"""Every command of the README, docs/ and the example of a gate is read as the command line reads it.

What costs little is run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.cli.main import app
from bench.fleet.folder import FleetFolder
from bench.results import run_file
from bench.running.suites import select_models, select_variants
from tests.bench.conftest import Command
from tests.bench.examples import RUN
from tests.bench.fleet.plans import FLEET
from tests.bench.sessions import session
from tests.repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WORKFLOW = ROOT / ".github/workflows/gate-example.yml"
_BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
BROUGHT = {"rings/radial", "pruned", "graph"}
"""Names of the package that docs/architecture.md links; tests/test_extending.py runs its commands."""
ELSEWHERE = {"git", "cd", ".", "python3", "pytest", "ray"}
"""Programs that are not ours; what goes wrong with them no parser of ours would see."""


def split(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line of a shell, without its comment and its assignments."""
    words = shlex.shlex(line, posix=True, punctuation_chars=";&")
    words.whitespace_split = True
    command: list[str] = []
    for word in words:
        if set(word) <= set(";&"):
            yield command
            command = []
        elif command or not re.match(r"\w+=", word):
            command.append(word)
    yield command


def commands() -> list[tuple[str, ...]]:
    blocks = [block for page in PAGES for block in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [
        line.strip() for line in WORKFLOW.read_text(encoding="utf-8").splitlines() if line.strip().startswith("bench ")
    ]
    return list(dict.fromkeys(tuple(command) for line in lines for command in split(line) if command))


COMMANDS = commands()
OURS = [command[1:] for command in COMMANDS if command[0] == "bench"]
CHEAP = [arguments for arguments in OURS if arguments[0] in ("report", "compare", "recommend", "list", "machine")]
CHEAP += [arguments for arguments in OURS if arguments[:2] == ("fleet", "status")]


def parsed(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the options as the command line reads them, without running anything; raises its ``UsageError``."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        command = command.commands[name]
    params: dict[str, Any] = command.make_context(name, rest).params
    return params


def values(params: dict[str, Any], *names: str) -> list[str]:
    """Return what was given for options that may be repeated, but for the names of the example package."""
    given = [params.get(name) or [] for name in names]
    return [one for some in given for one in ([some] if isinstance(some, str) else some) if one not in BROUGHT]


def test_the_pages_have_commands() -> None:
    assert len(OURS) > 30
    assert {arguments[0] for arguments in OURS} >= {"run", "train", "report", "compare", "recommend", "export", "fleet"}


@pytest.mark.parametrize("arguments", OURS, ids=" ".join)
def test_the_command_line_reads_a_command_of_ours(arguments: tuple[str, ...]) -> None:
    params = parsed(arguments)
    models = [name for name in values(params, "model", "models") if ".py:" not in name]
    select_models(params.get("suite") or "lab", values(params, "tasks"), models)
    select_variants(values(params, "technique", "techniques"), values(params, "runtime", "runtimes"))


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] != "bench"], ids=" ".join)
def test_another_command_names_what_there_is(command: tuple[str, ...]) -> None:
    match command:
        case ("make", target, *_):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        case ("python", "-m", "pytest", file, *_):
            assert (ROOT / file).exists()
        case ("python", "-m", module, *_):
            assert module_file(module).exists()
        case ("python", file, *_):
            assert file.endswith("/predict.py") or (ROOT / "docs/examples" / file).exists()
        case ("pip", "install", *arguments):
            assert all(map(can_be_installed, arguments))
        case (program, *_):
            assert program in ELSEWHERE


def can_be_installed(argument: str) -> bool:
    """Return whether an argument of ``pip install`` is an option, a path of the repository, or an extra of ours."""
    extra = re.fullmatch(r"quantbench\[(\w+)\]", argument)
    if extra:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return extra[1] in project["optional-dependencies"]
    return argument.startswith("--") or (ROOT / argument).exists()


def module_file(name: str) -> Path:
    return ROOT / f"{name.replace('.', '/')}.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_sentence_names_modules_and_targets_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`python\s-m\s(tests[\w.]+)", text):
        assert module_file(name).exists(), name
    for target in re.findall(r"`make (\w+)", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run files that the commands of the pages name."""
    runs = {"here": session(1), "there": session(2), "base": session(1), "new": session(2)}
    for folder, run in runs.items():
        run_file.save(run, tmp_path / folder / "run.json")
    run_file.save(RUN, tmp_path / "mine.json")
    (tmp_path / "runs/lab").mkdir(parents=True)
    shutil.copy(ROOT / "reports/lab/run.json", tmp_path / "runs/lab")
    FleetFolder(tmp_path / "runs/fleet").save(FLEET)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize("arguments", CHEAP, ids=" ".join)
def test_a_command_that_costs_little_does_what_it_says(command: Command, arguments: tuple[str, ...]) -> None:
    code, out, err = command(*arguments)
    assert code in ((0, 1, 3) if "--fail-if" in arguments else (0,)), err
    assert out or Path(arguments[arguments.index("--out") + 1]).exists()
