"""Nodes that are not there: an executor that plays what they say, for tests and for the simulation of many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from bench.fleet.executor import HeadLostError, Job, Node
from bench.fleet.node_child import Event

Script = Callable[[Node, Job], Iterable[Event]]
"""What a node says of a job; one that ends without an event of kind ``end`` hangs."""

FACTS: Event = {"kind": "facts", "python": "3.11.2", "versions": {"torch": "2.14.1"}, "load": 0.1, "niceness": 0}
DONE: Event = {"kind": "end", "code": 0, "reason": ""}


def lost(reason: str) -> Event:
    """A job whose node is gone."""
    return {"kind": "end", "code": None, "reason": reason}


@dataclass
class StubExecutor:
    """Plays ``script`` for every job, one event of each at a time; time passes when nobody has news."""

    alive: list[Node]
    script: Script
    now_s: float = 0.0
    started: list[tuple[str, Node, Job]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    head_lives_s: float = float("inf")
    _streams: dict[str, Iterator[Event]] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now_s

    def nodes(self) -> list[Node]:
        if self.now_s >= self.head_lives_s:
            raise HeadLostError("the cluster's head node does not answer")
        return list(self.alive)

    def start(self, name: str, node: Node, job: Job) -> None:
        self.started.append((name, node, job))
        self._streams[name] = iter(self.script(node, job))

    def events(self, timeout_s: float) -> Iterator[tuple[str, Event]]:
        waited_s = timeout_s
        for name, stream in list(self._streams.items()):
            event = next(stream, None)
            if event is None or event["kind"] == "end":
                del self._streams[name]
            if event is not None:
                waited_s = 0.01
                yield name, event
        self.now_s += waited_s

    def fate(self, key: str) -> str:
        return "the node died, was drained or is out of reach"

    def stop(self, name: str) -> None:
        self.stopped.append(name)
        self._streams.pop(name, None)


def node(name: str, cores: int = 1) -> Node:
    return Node(f"key of {name}", name, {"CPU": float(cores)})
