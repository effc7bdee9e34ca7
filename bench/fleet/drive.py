"""The driver: gives each node its job, listens, and writes down what it hears; a node that falls becomes a line."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.core.progress import Bars
from bench.core.units import counted
from bench.fleet.executor import Executor, HeadLostError, Job, Node
from bench.fleet.folder import RUN_FILE, FleetFolder
from bench.fleet.node_child import Event
from bench.results.fleet import Fleet, NodeFacts, NodeRecord, State

LISTEN_S = 5.0
"""After so long without news the driver looks at the list of nodes: one that hangs never answers."""
ABSENT = "the node is not in the cluster any more"
MOST_BARS = 20
"""Of more nodes one bar tells how many have ended."""
SAVE_EVERY_S = 1.0
"""The least time between two savings of what nodes are at, but for those that end."""


@dataclass
class Drive:
    """One run over a fleet."""

    executor: Executor
    folder: FleetFolder
    fleet: Fleet
    job: Callable[[str], Job]
    """Returns the job of a node by its name."""
    deadline_s: float
    """A node that says nothing for so long counts as hung."""
    bars: Bars
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, Node] = field(default_factory=dict)
    _heard: dict[str, float] = field(default_factory=dict)
    _saved: float = -float("inf")

    def __post_init__(self) -> None:
        self._records = {node.name: node for node in self.fleet.nodes}

    def run(self, nodes: Sequence[Node]) -> Fleet:
        """Let each of ``nodes`` do its job, and return the fleet once all have ended."""
        names = {node.name for node in nodes}
        for name, record in self._records.items():
            if record.state in ("waiting", "running") and name not in names:  # of a driver that was killed
                gone = {"state": "failed", "reason": ABSENT, "since": _now()}
                self._records[name] = record.model_copy(update=gone)
        for node in nodes:
            self._running[node.key] = node
            self._heard[node.key] = self.clock()
            before = self._records.get(node.name) or NodeRecord(name=node.name, state="waiting")
            now = {"state": "waiting", "at": "other work there", "since": _now(), "reason": ""}
            self._records[node.name] = before.model_copy(update=now)
            self.executor.start(node.key, node, self.job(node.name))
        self._save()
        while self._running:
            for key, event in self.executor.events(LISTEN_S):
                if key in self._running:
                    self._heard[key] = self.clock()
                    self._take(self._running[key], event)
            self._look_after()
        self._save()
        return self.fleet

    def _take(self, node: Node, event: Event) -> None:
        kind = event["kind"]
        record = self._records[node.name]
        if kind == "facts":
            facts = NodeFacts.model_validate({name: value for name, value in event.items() if name != "kind"})
            self._update(node, state="running", at="begin", facts=facts)
        elif kind == "at":
            since = record.since if event["label"] == record.at else _now()
            self._update(node, at=event["label"], done=event["done"], total=event["total"], since=since)
        elif kind == "file" and event["name"] == RUN_FILE:
            self.folder.keep(node.name, event["content"])
            states = [row["status"] for row in json.loads(event["content"])["rows"]]
            self._update(node, rows=len(states), failed_rows=states.count("failed"))
        elif kind == "end":
            self._end(node, event["reason"])

    def _look_after(self) -> None:
        """End what cannot go on: Ray says that a node is dead, or nothing was heard of it for too long."""
        if not self._running:
            return
        try:
            alive = {node.key for node in self.executor.nodes()}
        except HeadLostError as error:
            for node in list(self._running.values()):
                self._end(node, str(error))
            return
        for key, node in list(self._running.items()):
            silent_s = self.clock() - self._heard[key]
            if key not in alive and silent_s >= LISTEN_S:  # its last messages may be on their way
                self._give_up(node, self.executor.fate(key))
            elif silent_s >= self.deadline_s:
                waiting = self._records[node.name].state == "waiting"
                what = "Ray's other work there did not end" if waiting else "it hung: nothing was heard of it"
                self._give_up(node, f"{what} for {self.deadline_s:g} s")

    def _give_up(self, node: Node, reason: str) -> None:
        self.executor.stop(node.key)
        self._end(node, reason)

    def _end(self, node: Node, reason: str) -> None:
        del self._running[node.key]
        state: State = "failed" if reason else "finished"
        rows = self._records[node.name].rows
        self._update(node, state=state, reason=reason, since=_now())
        self.bars.say(f"{node.name}: {reason or 'finished'}, {counted(rows, 'row')}")
        self._save()

    def _update(self, node: Node, **changes: object) -> None:
        record = self._records[node.name].model_copy(update=changes)
        self._records[node.name] = record
        self._show(record)
        if self.clock() - self._saved >= SAVE_EVERY_S:
            self._save()

    def _show(self, record: NodeRecord) -> None:
        """Show a bar a node, or one of all where they are many."""
        if len(self._records) <= MOST_BARS:
            label = f"{record.name}: {record.at}, since {record.since[11:19]}"
            self.bars.line(record.name, label, record.done, record.total, visible=record.name in self._names())
        else:
            ended = len(self._records) - len(self._running)
            self.bars.line("", "nodes", ended, len(self._records), visible=True)

    def _names(self) -> set[str]:
        return {node.name for node in self._running.values()}

    def _save(self) -> None:
        self._saved = self.clock()
        self.fleet = self.fleet.model_copy(update={"nodes": list(self._records.values())})
        self.folder.save(self.fleet)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
