"""A fleet of three simulated machines on loopback, each its own raylet: one falls, the driver is killed, all goes on.

The scenario is one: each step is a command that goes on where the one before stopped.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import bench
from tests.bench.fleet.commands import PATIENCE_S, Nodes, environment, request_of, simulated, start, states, wait_for
from tests.benchmarks.fleet_trainings import digests

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="simulated machines need Linux")

OTHER_NODE = """
from importlib import metadata

def version(name, version=metadata.version):
    if name in ("onnx", "onnxruntime"):
        raise metadata.PackageNotFoundError(name)
    if name == "quantbench" and str(metadata.distribution(name)._path).endswith(".egg-info"):
        return "0.9.0"  # of the checkout, which is on the path of the nodes for the sake of these tests
    return version(name)

metadata.version = version
"""


def other_python(folder: Path) -> Path:
    """Return a Python that has another quantbench, and no ONNX Runtime."""
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "all.pth").write_text(str(Path(pytest.__file__).parents[1]))
    (packages / "sitecustomize.py").write_text(OTHER_NODE)
    information = packages / "quantbench-0.9.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: quantbench\nVersion: 0.9.0\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet")


@pytest.fixture(scope="module")
def nodes(folder: Path) -> Iterator[Nodes]:
    names = ["good", f"other={other_python(folder / 'venv')}", "falls"]
    with simulated(names, folder / "cache") as started:
        yield started


@pytest.fixture(scope="module")
def request_of_two_models(folder: Path) -> list[str]:
    return [*request_of(folder / "net", ["small", "wide"]), "--runtime=eager", "--runtime=onnxruntime"]


def test_what_falls_is_a_line_and_the_same_command_goes_on(
    folder: Path, nodes: Nodes, request_of_two_models: list[str]
) -> None:
    driver = start(folder, nodes, request_of_two_models)
    wait_for(driver, lambda: any(node["rows"] for node in states(folder).values()))
    second = start(folder, nodes, request_of_two_models)
    _, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "another 'bench fleet run' is at work" in err

    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    kept = {
        name: bench.load_run(path) for name in states(folder) if (path := folder / "out" / name / "run.json").exists()
    }
    assert kept, "what a node measured before the driver died is there"

    driver = start(folder, nodes, request_of_two_models)
    fresh = time.time_ns()  # what the driver before has left does not count
    of_falls = folder / "out" / "falls" / "run.json"
    wait_for(driver, lambda: of_falls.exists() and of_falls.stat().st_mtime_ns > fresh)
    nodes.do("kill", "falls")
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1, err
    after = states(folder)
    assert "Traceback" not in err, err
    assert "raylet" not in out + err, "what Ray says of it is left to us"
    assert {name: node["state"] for name, node in after.items()} == {
        "good": "finished",
        "other": "finished",
        "falls": "failed",
    }
    assert "died" in str(after["falls"]["reason"])
    assert bench.load_run(folder / "out" / "falls" / "run.json").rows, "its rows are kept"
    report = (folder / "out" / "report.md").read_text()
    assert str(after["falls"]["reason"]) in report
    for name, run in kept.items():
        if name != "falls":
            assert bench.load_run(folder / "out" / name / "run.json").created == run.created, "it went on"


def test_nodes_run_the_drivers_quantbench_with_what_they_have(folder: Path) -> None:
    good, other = (bench.load_run(folder / "out" / name / "run.json") for name in ("good", "other"))
    assert states(folder)["other"]["facts"]["versions"]["quantbench"] == "0.9.0"
    assert good.quantbench == other.quantbench == version("quantbench")
    assert {row.model: row.status for row in good.rows if row.runtime == "onnxruntime"} == {"small": "ok", "wide": "ok"}
    for row in other.rows:
        assert row.status == ("unsupported" if row.runtime == "onnxruntime" else "ok")
        assert "onnxruntime" in row.reason or row.runtime == "eager"


def test_a_finished_fleet_is_not_measured_again(folder: Path, nodes: Nodes, request_of_two_models: list[str]) -> None:
    before = {name: (folder / "out" / name / "run.json").stat().st_mtime_ns for name in ("good", "other")}
    driver = start(folder, nodes, request_of_two_models)
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1, "the node that fell is not in the cluster any more"
    assert "2 nodes finished before" in err
    assert before == {name: (folder / "out" / name / "run.json").stat().st_mtime_ns for name in ("good", "other")}


def test_another_request_in_the_same_folder_is_refused(
    folder: Path, nodes: Nodes, request_of_two_models: list[str]
) -> None:
    driver = start(folder, nodes, [*request_of_two_models, "--batch=2"])
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 2
    assert "has a fleet with other settings (batch_sizes [1], now [1, 2])" in err


@pytest.mark.slow
def test_trainings_over_nodes_have_the_weights_of_one_machine(folder: Path, nodes: Nodes) -> None:
    seeds = [f"--seed={seed}" for seed in range(1, 6)]
    training = ["train", "mnist/lab1", "--technique=fp32", *seeds, "--epochs=1", "--data=synthetic"]
    weights = []
    processes: set[int] = set()
    for cache, options in ((folder / "here", []), (folder / "spread", ["--fleet", nodes.address])):
        command = [sys.executable, "-m", "bench", *training, *options]
        with subprocess.Popen(command, cwd=folder, env=environment(cache), stderr=subprocess.PIPE, text=True) as run:
            while run.poll() is None:
                processes |= nodes.processes("bench.fleet.node_training")
                time.sleep(0.1)
            assert run.returncode == 0, run.stderr and run.stderr.read()
        weights.append(digests(cache))
    assert len(weights[0]) == len(seeds)
    assert weights[0] == weights[1]
    # Ray may give a node's next task to another worker, which has a process of its own.
    assert len(processes) < len(seeds), "a process that has imported torch makes several trainings"


@pytest.mark.slow
def test_a_training_goes_on_elsewhere_from_what_a_lost_node_has_left(folder: Path) -> None:
    training = ["train", "mnist/lab1", "--technique=fp32", "--epochs=100", "--data=synthetic"]
    command = [sys.executable, "-m", "bench", *training]
    spread = folder / "lost"
    with simulated(["first", "second"], spread) as nodes:
        run = subprocess.Popen(
            [*command, "--fleet", nodes.address],
            cwd=folder,
            env=environment(spread),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(run, lambda: any((spread / "checkpoints").glob("*.training")))
        nodes.do("kill", "first")
        out, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, err
    assert "first: the node died" in err
    assert "raylet" not in out + err, "what Ray says of it is left to us"
    assert err.count("(float32) …") == 1, "one training, whatever the number of its attempts"
    subprocess.run(command, cwd=folder, env=environment(folder / "here"), check=True, timeout=PATIENCE_S)
    name, digest = next(iter(digests(spread).items()))
    assert digests(folder / "here")[name] == digest
