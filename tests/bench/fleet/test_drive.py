"""The driver, with nodes that finish, fall and hang: what it writes down, and that it ends."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pytest

import bench
from bench.core.errors import RequestError
from bench.core.progress import Bars
from bench.fleet.drive import Drive
from bench.fleet.executor import Job, Node
from bench.fleet.folder import FleetFolder
from bench.fleet.node_child import Event
from bench.fleet.runner import require_some
from bench.results.fleet import Fleet, NodeRecord
from bench.results.run import Run
from tests.bench.examples import RUN
from tests.bench.fleet.plans import FLEET
from tests.bench.fleet.stub import DONE, FACTS, StubExecutor, lost, node

UNFINISHED = RUN.model_copy(update={"finished": False})


def file_of(run: Run) -> Event:
    return {"kind": "file", "name": "run.json", "content": run.model_dump_json().encode()}


def said(one: Node, job: Job) -> Iterable[Event]:
    """What the nodes say, by their names."""
    yield FACTS
    yield {"kind": "at", "label": "time mnist/lab1", "done": 1, "total": 12}
    yield file_of(UNFINISHED)
    if one.name == "falls":
        yield lost("the node died, was drained or is out of reach")
    elif one.name == "refuses":
        yield {"kind": "end", "code": 2, "reason": "--budget 1 is too short."}
    elif one.name not in ("hangs", "vanishes"):
        yield file_of(RUN)
        yield DONE


def drive(
    folder: Path, names: list[str], absent: tuple[str, ...] = (), head_lives_s: float = math.inf
) -> tuple[dict[str, NodeRecord], StubExecutor, Fleet]:
    nodes = [node(name) for name in names]
    executor = StubExecutor([one for one in nodes if one.name not in absent], said, head_lives_s=head_lives_s)
    job = Job("module", {}, ["run.json"])
    driver = Drive(executor, FleetFolder(folder), FLEET, lambda name: job, 600.0, Bars("nothing"), executor.clock)
    fleet = driver.run(nodes)
    return {one.name: one for one in fleet.nodes}, executor, fleet


def test_what_nodes_measured_is_written_as_it_comes(tmp_path: Path) -> None:
    nodes, _, fleet = drive(tmp_path, ["good", "falls"])
    assert nodes["good"].state == "finished"
    assert nodes["falls"].state == "failed"
    assert bench.load_run(tmp_path / "good" / "run.json").finished
    assert len(bench.load_run(tmp_path / "falls" / "run.json").rows) == nodes["falls"].rows == len(RUN.rows)
    assert FleetFolder(tmp_path).fleet() == fleet, "the file says the same"


def test_a_node_that_hangs_is_given_up_after_the_deadline(tmp_path: Path) -> None:
    nodes, executor, _ = drive(tmp_path, ["hangs", "good"])
    assert "it hung: nothing was heard of it for 600 s" in nodes["hangs"].reason
    assert executor.stopped == ["key of hangs"]
    assert 600 <= executor.now_s < 700
    assert nodes["good"].state == "finished"


def test_a_node_that_ray_calls_dead_is_given_up_at_once(tmp_path: Path) -> None:
    nodes, executor, _ = drive(tmp_path, ["vanishes", "good"], absent=("vanishes",))
    assert "died" in nodes["vanishes"].reason
    assert executor.now_s < 60


def test_without_the_head_node_all_end_with_what_they_have(tmp_path: Path) -> None:
    nodes, executor, fleet = drive(tmp_path, ["good", "hangs"], head_lives_s=1.0)
    assert nodes["good"].state == "finished", "it had ended before"
    assert (nodes["hangs"].state, nodes["hangs"].rows) == ("failed", len(UNFINISHED.rows))
    assert nodes["hangs"].reason == "the cluster's head node does not answer"
    assert executor.stopped == [], "there is nobody to ask"
    assert FleetFolder(tmp_path).fleet() == fleet


def test_the_nodes_own_refusal_is_its_reason(tmp_path: Path) -> None:
    nodes, _, _ = drive(tmp_path, ["refuses"])
    assert nodes["refuses"].reason == "--budget 1 is too short."


def test_a_cluster_that_can_measure_nothing_is_a_refusal_with_the_reason() -> None:
    reason = "its Python lacks torch; install quantbench there, and start Ray with that Python"
    nodes = [NodeRecord(name=name, state="failed", reason=reason) for name in "abcde"]
    with pytest.raises(RequestError, match=r"no node could measure anything \(a: its Python lacks torch"):
        require_some(FLEET.model_copy(update={"nodes": nodes}))


def test_of_many_nodes_one_bar_tells_how_many_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, int]] = []

    def line(self: Bars, name: str, label: str, done: int, total: int, *, visible: bool) -> None:
        shown.append((label, done))

    monkeypatch.setattr(Bars, "line", line)
    drive(tmp_path / "few", ["good", "falls"])
    assert any(label.startswith("good: time mnist/lab1, since ") for label, _ in shown)
    shown.clear()
    drive(tmp_path / "many", [f"node{number}" for number in range(30)])
    assert {label for label, _ in shown} == {"nodes"}
    assert shown[-1][1] == 30


def test_a_node_whose_other_work_does_not_end_is_said_so(tmp_path: Path) -> None:
    busy = node("busy")
    executor = StubExecutor([busy], lambda one, job: ())
    job = Job("module", {}, ["run.json"])
    driver = Drive(executor, FleetFolder(tmp_path), FLEET, lambda name: job, 60.0, Bars("nothing"), executor.clock)
    [record] = driver.run([busy]).nodes
    assert record.reason == "Ray's other work there did not end for 60 s"


def test_a_node_that_a_killed_driver_left_running_and_that_is_gone_is_a_line(tmp_path: Path) -> None:
    left = NodeRecord(name="gone", state="running", at="time mnist/lab1", rows=2)
    executor = StubExecutor([node("good")], said)
    fleet = FLEET.model_copy(update={"nodes": [left]})
    job = Job("module", {}, ["run.json"])
    driver = Drive(executor, FleetFolder(tmp_path), fleet, lambda name: job, 60.0, Bars("nothing"), executor.clock)
    states = {one.name: one for one in driver.run([node("good")]).nodes}
    assert (states["gone"].state, states["gone"].rows) == ("failed", 2)
    assert states["gone"].reason == "the node is not in the cluster any more"
