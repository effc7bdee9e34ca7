"""What befalls nodes of a real Ray cluster on loopback: each fault is a line with its reason, and the rest stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import bench
from bench.results.run import Run
from tests.bench.fleet.commands import PATIENCE_S, Nodes, request_of, simulated, start, states, wait_for

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="simulated machines need Linux"),
]

DEADLINE_S = 90
"""The driver's: nodes that share few cores are silent for long while they import torch."""
FAULTS = {"hangs": "hang", "stops": "stop", "exhausted": "exhaust", "drained": "drain"}
"""By node, what happens to it once it has rows."""
REASONS = {
    "hangs": f"it hung: nothing was heard of it for {DEADLINE_S} s",
    "stops": "out of reach",
    "exhausted": "runs out of memory",
    "drained": "the node was drained",
    "starved": "the node ran out of memory",
}


class Ended(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str
    nodes: dict[str, Any]
    """As ``fleet.json`` has them, by name."""
    report: str
    runs: dict[str, Run]
    """By node."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def nodes(folder: Path) -> Iterator[Nodes]:
    with simulated(["good", *REASONS, "--short-of-memory=starved"], folder / "cache") as started:
        yield started


@pytest.fixture(scope="module")
def request_of_one_model(folder: Path) -> list[str]:
    return request_of(folder / "net", ["small"])


@pytest.fixture(scope="module")
def befallen(folder: Path, nodes: Nodes, request_of_one_model: list[str]) -> Ended:
    """Return how a command ended whose nodes met a fault each, once they had rows."""
    lasting = "--spread=30"  # so that no node ends before something happens to it
    driver = start(folder, nodes, [*request_of_one_model, lasting, f"--deadline={DEADLINE_S}"])
    missing = dict(FAULTS)
    while missing:
        wait_for(driver, lambda: any(states(folder).get(name, {}).get("rows") for name in missing))
        for name in [name for name in missing if states(folder)[name]["rows"]]:
            nodes.do(missing.pop(name), name)
            if name == "drained":
                nodes.do("kill", name)  # whoever had it drained takes it away
    out, err = driver.communicate(timeout=PATIENCE_S)
    return Ended(
        driver.returncode,
        out,
        err,
        states(folder),
        (folder / "out" / "report.md").read_text(),
        {name: bench.load_run(folder / "out" / name / "run.json") for name in ("good", *FAULTS)},
    )


def test_each_fault_is_a_line_with_its_reason(befallen: Ended) -> None:
    assert befallen.code == 1, befallen.err
    assert "Traceback" not in befallen.err
    assert befallen.nodes["good"]["state"] == "finished"
    assert befallen.runs["good"].finished
    for name, reason in REASONS.items():
        node = befallen.nodes[name]
        assert node["state"] == "failed"
        assert reason in node["reason"], name
        assert node["reason"] in befallen.out
        assert node["reason"] in befallen.report
    for name in FAULTS:
        assert befallen.runs[name].rows, "what it had measured is kept"


def test_the_same_command_goes_on_with_what_is_missing(
    befallen: Ended, folder: Path, nodes: Nodes, request_of_one_model: list[str]
) -> None:
    for name in ("hangs", "stops"):
        nodes.do("go-on", name)
    driver = start(folder, nodes, request_of_one_model)
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1, "some are gone, and one is still short of memory"
    assert "1 node finished before" in err
    after = states(folder)
    finished = {name for name, node in after.items() if node["state"] == "finished"}
    assert finished == {"good", "hangs", "exhausted"}
    assert "the node ran out of memory" in after["starved"]["reason"]
    for name in finished:
        run = bench.load_run(folder / "out" / name / "run.json")
        assert run.finished
        assert run.created == befallen.runs[name].created, "it went on"


def test_a_node_that_is_being_drained_gets_no_work(
    folder: Path, nodes: Nodes, request_of_one_model: list[str], tmp_path: Path
) -> None:
    nodes.do("drain", "hangs")
    (tmp_path / "cache").symlink_to(folder / "cache")
    driver = start(tmp_path, nodes, [*request_of_one_model, "--deadline=200"])
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1, err
    after = states(tmp_path)
    assert after["good"]["state"] == "finished"
    assert "hangs" not in after or "drained" in after["hangs"]["reason"]


def test_the_death_of_the_head_node_is_a_line_and_another_cluster_goes_on(tmp_path: Path) -> None:
    asked = request_of(tmp_path / "net", ["small", "wide"])
    with simulated(["one"], tmp_path / "cache") as nodes:
        driver = start(tmp_path, nodes, [*asked, "--spread=60"])
        wait_for(driver, lambda: bool(states(tmp_path).get("one", {}).get("rows")))
        nodes.do("behead", "one")
        out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1, err
    assert "Traceback" not in err
    reason = states(tmp_path)["one"]["reason"]
    assert reason.startswith("the cluster's head node at 127.0.0.1:")
    assert reason in out
    before = bench.load_run(tmp_path / "out" / "one" / "run.json")
    assert before.rows
    with simulated(["one"], tmp_path / "cache") as nodes:
        driver = start(tmp_path, nodes, asked)
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, err
    after = bench.load_run(tmp_path / "out" / "one" / "run.json")
    assert (after.finished, after.created) == (True, before.created)
