"""The package that docs/architecture.md links is installed and run here; docs/commands.md has a test that passes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.results.run import Run
from tests.bench.pytest_plugin.conftest import PLUGIN

ROOT = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent / "example_package"
FILES = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".toml") and path.name != "__init__.py"]


def test_the_page_links_the_whole_package() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(\.\./tests/example_package/([\w/.]+)\)", text))
    assert linked == {path.relative_to(PACKAGE).as_posix() for path in FILES}


def shown_test() -> tuple[str, str]:
    """Return the name and the code of the test that docs/commands.md shows."""
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    [(name, code)] = re.findall(r"^`(\w+\.py)`\n\n```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return name, code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed in."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *offline, str(source)], check=True, timeout=300)
    return folder / "site"


def run(site: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_the_command_lists_what_the_package_brings_without_torch(site: Path) -> None:
    code = "import sys; sys.argv = ['bench', 'list']\nfrom bench.cli.main import main\n"
    done = run(site, "-c", code + "try: main()\nfinally: print('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr
    assert "  rings/radial        tanh network 2-32-3 on points of the plane\n" in done.stdout
    assert "  pruned              the smaller half of each Linear layer's weights set to zero\n" in done.stdout
    assert done.stdout.endswith("False\n")


@pytest.fixture(scope="module")
def measured(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Measure the package's model with its technique and one of ours."""
    folder = tmp_path_factory.mktemp("run")
    chosen = ["--model", "rings/radial", "--technique", "pruned", "--technique", "dynamic-qint8", "--batch", "1"]
    where = ["--data", "synthetic", "--precision", "50%", "--out", str(folder / "out")]
    done = run(site, "-m", "bench", "run", *chosen, *where, QUANTBENCH_CACHE=str(folder / "cache"))
    assert done.returncode == 0, done.stderr
    return bench.load_run(folder / "out/run.json")


@pytest.mark.slow
def test_workers_know_the_package_too(measured: Run) -> None:
    """The task is trained and the technique applied in processes that are forked from a server."""
    assert [row.technique for row in measured.rows] == ["fp32", "pruned", "dynamic-qint8"]
    baseline, pruned, quantized = measured.rows
    for row in measured.rows:
        assert row.status in ("ok", "noisy"), row.reason
        assert row.latency[1].rounds_s
    assert baseline.accuracy is not None
    assert pruned.accuracy is not None
    assert baseline.accuracy.correct > 0.9 * baseline.accuracy.total
    assert pruned.accuracy.correct < baseline.accuracy.correct
    assert pruned.notes == ["half of its weights are zero, which dense kernels multiply all the same"]
    assert quantized.params == baseline.params == 2 * 32 + 32 + 32 * 3 + 3


@pytest.mark.slow
def test_a_network_of_another_package_reloads_from_its_packed_file(measured: Run) -> None:
    """Another process has rebuilt it by its name, to the same logits."""
    assert all(row.packed_bytes for row in measured.rows)


def test_a_runtime_of_the_package_executes_what_the_command_names(site: Path, tmp_path: Path) -> None:
    chosen = ["--model", "rings/radial", "--technique", "fp32", "--runtime", "graph", "--batch", "1"]
    where = ["--data", "synthetic", "--precision", "50%", "--out", str(tmp_path / "out")]
    done = run(site, "-m", "bench", "run", *chosen, *where, QUANTBENCH_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    eager, graph = bench.load_run(tmp_path / "out/run.json").rows
    assert (eager.runtime, graph.runtime) == ("eager", "graph")
    for row in (eager, graph):
        assert row.status in ("ok", "noisy"), row.reason
    assert graph.accuracy == eager.accuracy
    assert graph.deploy_bytes == eager.deploy_bytes == eager.packed_bytes


def test_a_recipe_of_the_package_trains_its_model(site: Path, tmp_path: Path) -> None:
    chosen = ["rings/radial", "--recipe", "patient", "--epochs", "1", "--data", "synthetic", "--out", str(tmp_path)]
    done = run(site, "-m", "bench", "train", *chosen, QUANTBENCH_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    [trained] = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert (trained["recipe"]["learning_rate"], trained["recipe"]["schedule"]) == (0.005, "constant")


def test_a_network_that_nobody_brings_is_unknown() -> None:
    from bench import models

    with pytest.raises(KeyError, match="radial"):
        models.build("radial", {"inputs": 2, "hidden": 32, "classes": 3})


@pytest.mark.slow
def test_the_example_for_pytest_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    name, code = shown_test()
    pytester.path.joinpath(name).write_text(code, encoding="utf-8")
    quick = ("--benchmark-max-time=0.01", "--benchmark-json=mine.json")
    pytester.runpytest_subprocess(*PLUGIN, name, *quick).assert_outcomes(passed=6)
    run = bench.load_run(pytester.path / "mine.json")
    assert [row.technique for row in run.rows] == ["fp32", "dynamic-qint8", "static-qint8"]
    assert run.settings.batch_sizes == [1, 64]


@pytest.mark.slow
def test_the_supplied_models_are_benchmarked_the_same_way(tmp_path: Path) -> None:
    file = tmp_path / "latency.json"
    options = ["--benchmark-enable", "--benchmark-only", "--benchmark-max-time=0.01", f"--benchmark-json={file}"]
    chosen = ["--bench-technique", "fp32", "dynamic-qint8", "--bench-batch-size", "8"]
    cache = ["-p", "no:cacheprovider"]
    done = run(ROOT, "-m", "pytest", "tests/benchmarks/test_latency.py", f"--rootdir={ROOT}", *cache, *options, *chosen)
    assert done.returncode == 0, done.stdout
    measured = bench.load_run(file)
    assert [(row.task, row.model, row.technique) for row in measured.rows] == [
        ("mnist", "lab1", "fp32"),
        ("mnist", "lab1", "dynamic-qint8"),
    ]
    assert measured.data[0].kind == "synthetic"
    assert measured.settings.batch_sizes == [8]
    for row in measured.rows:
        assert row.accuracy is not None
        assert row.accuracy.total == measured.data[0].test_examples
