"""What must start fast does not import torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.results import run_file
from tests.bench.examples import RUN
from tests.bench.sessions import session


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has imported after ``code``."""
    program = f"{code}\nimport sys\nprint('MODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.rpartition("MODULES")[2].split())


def modules_after_command(*arguments: str) -> set[str]:
    code = f"import sys; sys.argv = ['bench', *{arguments!r}]\nfrom bench.cli.main import main\n"
    return modules_after(code + "try: main()\nexcept SystemExit: pass")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["run", "--help"], ["list"], ["run", "--suite", "nonsense"]])
def test_the_command_answers_without_torch(arguments: list[str]) -> None:
    assert "torch" not in modules_after_command(*arguments)


@pytest.mark.parametrize("words", ["bench run --technique d", "bench run --model m", "bench run --runtime o"])
def test_a_shell_completes_names_without_torch(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    for name, value in {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}.items():
        monkeypatch.setenv(name, value)
    assert "torch" not in modules_after_command()


SLOW = {"torch", "matplotlib", "scipy.stats", "scipy.optimize"}
"""What takes longer to import than a report takes; ``scipy.special``, a tenth of a second, has McNemar's test."""


def test_the_options_of_all_commands_are_known_without_a_validator() -> None:
    assert not {"pydantic", "psutil", "filelock"} & modules_after("import bench.cli.main")


def test_report_needs_no_torch(tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    assert not SLOW & modules_after_command("report", str(tmp_path / "run.json"))


@pytest.mark.parametrize("rules", [[], ["--fail-if", "latency > 5%"]])
def test_compare_needs_no_torch(tmp_path: Path, rules: list[str]) -> None:
    run_file.save(session(seed=1), tmp_path / "run.json")
    run_file.save(session(seed=2), tmp_path / "new.json")
    files = [str(tmp_path / name) for name in ("run.json", "new.json")]
    assert not {*SLOW, "scipy"} & modules_after_command("compare", *files, *rules), "exact tests of ranks need none"


@pytest.mark.parametrize("form", ["markdown", "html", "csv", "json"])
def test_no_form_of_a_report_needs_torch(tmp_path: Path, form: str) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    modules = modules_after_command("report", str(tmp_path / "run.json"), "--format", form)
    assert "torch" not in modules
    assert ("matplotlib" in modules) == (form == "html"), "drawn where it is shown"
    assert ("jinja2" in modules) == (form == "html")


def test_the_library_imports_nothing_until_it_is_used() -> None:
    assert not {"torch", "pydantic", "typer"} & modules_after("import bench")


def test_the_public_names_are_there() -> None:
    assert bench.__all__ == sorted(bench.__all__)
    for name in bench.__all__:
        assert getattr(bench, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        bench.nonsense  # noqa: B018
