"""What the driver needs of whatever reaches the nodes: Ray, or a stub in tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.core.errors import RequestError
from bench.fleet.node_child import Event


class HeadLostError(RequestError):
    """What holds the cluster together does not answer any more, and nothing can be heard of its nodes."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    key: str
    """What tells it from all others while the cluster is up."""
    name: str
    """What reports and folders call it, also when the cluster is started again."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """What a job takes of it: by default all its cores, which it has to itself then."""


@dataclass(frozen=True)
class Job:
    """What a node is to do; see ``bench.fleet.node_task.work``."""

    module: str
    request: Mapping[str, Any]
    watched: Sequence[str]
    """Names of files that the driver wants whenever they change."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are there at the beginning, by name."""
    resident: bool = False
    """Whether its process stays, where that can be, for further jobs of the same module on this node."""


class Executor(Protocol):
    """Reaches nodes."""

    def nodes(self) -> list[Node]:
        """Return those that are alive; raises ``HeadLostError`` where nobody can say."""
        ...

    def start(self, name: str, node: Node, job: Job) -> None:
        """Start a job on a node, when what it takes of the node is free, and nowhere else; ``name`` is the job's."""
        ...

    def events(self, timeout_s: float) -> Iterator[tuple[str, Event]]:
        """Wait for news, so long at most, and yield them with the names of their jobs, one by one: they may be large.

        A job that ends, however it does, has an event of kind ``end``; see ``bench.fleet.node_task``. One whose node
        is lost may say nothing at all.
        """
        ...

    def fate(self, key: str) -> str:
        """Return why a node is not among those that are alive, as far as that is known."""
        ...

    def stop(self, name: str) -> None:
        """End a job whose node may not answer any more; nothing is heard of it from then on."""
        ...
