"""What is built and installed: one top-level package, which a project's own models.py and tasks.py live beside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

import bench
from tests.repository import ROOT

SOURCES = ("bench", "models", "tasks", "pyproject.toml", "README.md", "LICENSE")
LINKED = ("models", "tasks")
"""Folders at the top of the repository that are packages of ``bench`` to Python."""


def run(*command: str | Path, cwd: Path, script: str = "") -> str:
    """Run a command away from the checkout and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, input=script, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    """Build ``wheel`` or ``sdist`` as pip would, with the setuptools that is here."""
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    out.mkdir()
    run(sys.executable, "-c", code, out, cwd=source)
    [built] = out.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    """A copy of what is built: building leaves folders in its source."""
    (folder / "source").mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / "source" / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / "source" / name)
    return folder / "source"


@pytest.fixture(scope="module")
def wheel(source: Path, folder: Path) -> Path:
    return build("wheel", source, folder / "wheel")


def test_the_wheel_has_one_top_level_package_with_every_file_of_it(wheel: Path) -> None:
    inside = {Path(name) for name in contents(wheel) if ".dist-info/" not in name}
    assert {path.parts[0] for path in inside} == {"bench"}
    every = {path.relative_to(ROOT) for path in (ROOT / "bench").rglob("*") if path.is_file()}
    every |= {
        Path("bench", path.relative_to(ROOT)) for name in LINKED for path in (ROOT / name).rglob("*") if path.is_file()
    }
    assert inside == {path for path in every if path.suffix != ".pyc"}


def test_an_index_would_take_the_metadata(wheel: Path) -> None:
    """What ``twine check`` asks, a description of a type that can be rendered, and that all other fields are valid."""
    [content] = [content for name, content in contents(wheel).items() if name.endswith(".dist-info/METADATA")]
    metadata = Metadata.from_email(content, validate=True)
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.author


def test_the_sdist_builds_the_same_wheel(source: Path, wheel: Path, folder: Path) -> None:
    with tarfile.open(build("sdist", source, folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [unpacked] = (folder / "unpacked").iterdir()
    assert contents(build("wheel", unpacked, folder / "wheel of the sdist")) == contents(wheel)


# Installed, beside a project that has a models.py and a tasks.py

MODELS = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
"""
TASKS = """
import torch

def inputs(batch_size):
    return torch.rand(batch_size, 4)

def share(model):
    return (int(model(inputs(8)).isfinite().all()), 1)
"""
TEST = """
import models, tasks

def test_mine(quantbench):
    info = quantbench(models.build(), tasks.inputs(2), technique="dynamic-qint8", evaluate=tasks.share)
    assert (info.params, info.accuracy) == (4 * 8 + 8 + 8 * 3 + 3, 1.0)
"""
SCRIPT = """
import bench, models, tasks, torch

class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = models.build()

    def forward(self, inputs):
        return self.inner(inputs)

def share(model):
    return tasks.share(model)

options = {"techniques": ["dynamic-qint8"], "batch_sizes": [2], "runs": 1, "precision": 0.9, "progress": False}
for row in bench.measure(Mine(), tasks.inputs(2), evaluate=share, **options).rows:
    print(row.technique, row.measured, row.accuracy.correct)
"""


@pytest.fixture(scope="module")
def python(wheel: Path, folder: Path) -> Path:
    """The interpreter of an environment with the wheel, which finds the dependencies where they are."""
    venv.create(folder / "environment", symlinks=True)
    interpreter = folder / "environment" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", *offline, wheel, cwd=folder)
    return interpreter


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in (("models.py", MODELS), ("tasks.py", TASKS), ("test_mine.py", TEST)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_no_name_but_its_own_is_taken(python: Path, tmp_path: Path) -> None:
    code = "import importlib.util as u, bench; print(*map(u.find_spec, ('models', 'tasks')), bench.__file__)"
    *found, file = run(python, "-c", code, cwd=tmp_path).split()
    assert found == ["None", "None"]
    assert python.parent.parent in Path(file).parents, "the wheel's, and not the checkout's"


@pytest.mark.slow
def test_a_project_with_models_and_tasks_has_the_fixture(python: Path, project: Path) -> None:
    assert "1 passed" in run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)


@pytest.mark.slow
def test_a_project_with_models_and_tasks_is_measured_by_the_command(python: Path, project: Path) -> None:
    named = ("--model=models.py:build", "--inputs=tasks.py:inputs", "--evaluate=tasks.py:share")
    options = ("--technique=dynamic-qint8", "--batch=2", "--runs=1", "--precision=90%", "--out=out")
    run(python, "-m", "bench", "run", *named, *options, cwd=project)
    measured = bench.load_run(project / "out/run.json")
    assert [(row.technique, row.measured) for row in measured.rows] == [("fp32", True), ("dynamic-qint8", True)]


@pytest.mark.slow
def test_a_notebook_of_a_project_with_models_and_tasks_measures_a_class_of_its_own(python: Path, project: Path) -> None:
    """Its cells are no file: the class is in ``__main__`` alone."""
    assert run(python, "-", cwd=project, script=SCRIPT) == "fp32 True 1\ndynamic-qint8 True 1\n"


@pytest.mark.slow
def test_a_supplied_model_is_measured_and_its_page_rendered_away_from_the_checkout(python: Path, project: Path) -> None:
    options = ("--data=synthetic", "--technique=fp32", "--batch=2", "--runs=1", "--precision=90%", "--out=out")
    run(python, "-m", "bench", "run", "--model=mnist/lab1", *options, cwd=project)
    run(python, "-m", "bench", "report", "out/run.json", "--html", "--out=page.html", cwd=project)
    assert (project / "page.html").read_text(encoding="utf-8").startswith("<!")
