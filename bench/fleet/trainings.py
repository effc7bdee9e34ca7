"""Trainings spread over the cores of a cluster: a graph, since students wait for their teachers.

A training whose node falls goes on elsewhere from its last epoch. Nodes of other instruction sets than the driver's are
not used: their sums round otherwise, and the weights must be those of one machine.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.core.errors import RequestError, TrainingError
from bench.core.files import write_bytes_atomically
from bench.core.report import Report
from bench.fleet import parcel
from bench.fleet.cluster import connected
from bench.fleet.executor import Executor, Job, Node
from bench.fleet.node_child import UNFIT, Event
from bench.fleet.package import dependencies, package
from bench.fleet.ray_executor import RayExecutor
from bench.fleet.request import TrainingRequest
from bench.running.model_session import ModelSession
from bench.running.training_graph import can_begin, teacher_of, untaught
from bench.running.weights import label, look_up
from bench.storage.checkpoint import Header, TrainingSpec

MODULE = "bench.fleet.node_training"
LISTEN_S = 5.0
SILENT_S = 3600.0
"""A training that says nothing for so long is started elsewhere."""
_SILENT = f"nothing was heard of it for {SILENT_S:g} s"
MOST_ATTEMPTS = 3
"""Of a training: one whose process dies on three nodes would on a fourth."""

Outcomes = dict[TrainingSpec, Header | Exception]
Train = Callable[[Sequence[TrainingSpec], bool], Outcomes]
"""Given trainings and whether they are to be made anew, returns the header of each, or why it failed."""


@contextmanager
def trainer(session: ModelSession, address: str | None) -> Iterator[Train]:
    """Yield what trains: the cluster at ``address``, or this machine without one; raises ``RequestError``."""
    if address is None:
        yield session.train
        return
    if session.options.trained_on != "cpu":
        raise RequestError("--fleet spreads trainings over CPU cores; leave it out, or give --training-device cpu.")
    with connected(address, session.bars):
        content = package()
        dataset = parcel.of_file(session.dataset.path)
        parcels = {one.digest: one for one in (content, dataset)}
        executor = RayExecutor(parcels, content.digest, dependencies())

        def train(trainings: Sequence[TrainingSpec], retrain: bool) -> Outcomes:
            return Spread(executor, session, dataset.digest).train(trainings, retrain)

        yield train


@dataclass
class _Running:
    training: TrainingSpec
    node: Node
    report: Report
    heard: float
    begun: bool = False
    """Whether the node has taken it on."""


@dataclass
class Spread:
    """Trainings of one model over the cores of a cluster."""

    executor: Executor
    session: ModelSession
    dataset: str
    """The digest of its data."""
    clock: Callable[[], float] = time.monotonic
    _free: list[Node] = field(default_factory=list)
    """A node for each core of it that has no training."""
    _running: dict[str, _Running] = field(default_factory=dict)
    """By the name of the job."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    """Of the jobs, which tell the attempts at one training apart."""
    _attempts: Counter[TrainingSpec] = field(default_factory=Counter)
    """On how many nodes it began and came to nothing."""
    _reports: dict[TrainingSpec, Report] = field(default_factory=dict)
    """A bar for each, whatever the number of its attempts."""
    _lost: dict[TrainingSpec, str] = field(default_factory=dict)
    """Why the last attempt came to nothing."""

    def train(self, trainings: Sequence[TrainingSpec], retrain: bool = False) -> Outcomes:
        """Return the header of each training, or why it failed; checkpoints that are there are not trained again."""
        outcomes, missing = look_up(trainings, self.session.dataset, self.session.store, retrain=retrain)
        self._free = [
            dataclasses.replace(node, resources={"CPU": 1.0})
            for node in self.executor.nodes()
            for _ in range(int(node.resources.get("CPU", 0)))
        ]
        while pending := [training for training in missing if training not in outcomes]:
            outcomes |= untaught(pending, outcomes)
            self._start([training for training in pending if training not in outcomes], pending)
            if not self._running:
                reason = "no node of the cluster is left that could train"
                stranded = [training for training in pending if training not in outcomes]
                outcomes |= {one: TrainingError(self._lost.get(one, reason)) for one in stranded}
                continue
            for name, event in self.executor.events(LISTEN_S):
                if name in self._running:
                    outcomes |= self._take(name, event)
            outcomes |= self._look_after()
        return outcomes

    def _start(self, waiting: Sequence[TrainingSpec], pending: Sequence[TrainingSpec]) -> None:
        """Give free cores trainings whose teachers are there."""
        at_work = {running.training for running in self._running.values()}
        for training in waiting:
            if not self._free:
                return
            if training in at_work or not can_begin(training, pending):
                continue
            node = self._free.pop(0)
            name = f"{training.name} {next(self._numbers)}"
            if training not in self._reports:
                self._reports[training] = self.session.bars.stage(label(training))
            self._running[name] = _Running(training, node, self._reports[training], self.clock())
            self.executor.start(name, node, self._job(training))

    def _job(self, training: TrainingSpec) -> Job:
        """Return the training with the state that an earlier attempt has left, and its teacher's checkpoint."""
        store = self.session.store
        state = store.unfinished(training)
        files = {state.name: state.read_bytes()} if state.exists() else {}
        if (teacher := teacher_of(training)) and (path := store.locate(teacher)) is not None:
            files[teacher] = path.read_bytes()
        request = TrainingRequest(
            training=training, dataset=self.dataset, training_isa=list(self.session.machine.isa)
        ).model_dump(mode="json", by_alias=True)
        return Job(MODULE, request, [state.name, training.file_name], files, resident=True)

    def _take(self, name: str, event: Event) -> Outcomes:
        running = self._running[name]
        running.heard = self.clock()
        if event["kind"] == "at":
            running.begun = True
            running.report(event["done"], event["total"])
        elif event["kind"] == "file":
            write_bytes_atomically(self.session.store.folder / event["name"], event["content"])
        elif event["kind"] == "end":
            return self._end(name, event)
        return {}

    def _end(self, name: str, event: Event) -> Outcomes:
        running = self._running.pop(name)
        store, training = self.session.store, running.training
        if event["code"] == UNFIT:
            return self._drop(running, event["reason"])
        if event["code"] is None or event["code"] < 0:
            self._attempts[training] += running.begun or event["code"] is not None
            return self._drop(running, event["reason"])
        self._free.append(running.node)
        if event["code"] != 0:
            running.report(1, 1)
            return {training: TrainingError(event["reason"])}
        store.unfinished(training).unlink(missing_ok=True)
        header = store.get(training)
        return {training: header or TrainingError("its checkpoint did not arrive")}

    def _drop(self, running: _Running, reason: str) -> Outcomes:
        """Use the node no more, and let the training begin elsewhere, unless it has too often."""
        self._free = [node for node in self._free if node.key != running.node.key]
        self._lost[running.training] = f"{running.node.name}: {reason}"
        self.session.bars.say(self._lost[running.training])
        if self._attempts[running.training] >= MOST_ATTEMPTS:
            running.report(1, 1)
            return {running.training: TrainingError(self._lost[running.training])}
        return {}

    def _look_after(self) -> Outcomes:
        """Let what runs on nodes that are dead, or silent, begin elsewhere."""
        outcomes: Outcomes = {}
        alive = {node.key for node in self.executor.nodes()}
        for name, running in list(self._running.items()):
            silent_s = self.clock() - running.heard
            if (running.node.key not in alive and silent_s >= LISTEN_S) or silent_s >= SILENT_S:
                self.executor.stop(name)
                reason = _SILENT if running.node.key in alive else self.executor.fate(running.node.key)
                outcomes |= self._end(name, {"kind": "end", "code": None, "reason": reason})
        return outcomes
