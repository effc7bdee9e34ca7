"""Nodes reached through Ray, which places jobs and carries files, and times nothing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.fleet import ray_reasons
from bench.fleet.cluster import silence
from bench.fleet.executor import HeadLostError, Job, Node
from bench.fleet.node_child import Event
from bench.fleet.parcel import Parcel

CHUNK_BYTES = 16 * 2**20
"""Parcels travel in pieces of it, so that no node needs much memory at once."""
MACHINE = "machine"
"""The custom resource of a node that is to run one job at a time, whatever its cores."""
HEAD_S = 20.0
"""The head node may be silent for so long. After 60 s Ray would end this process, with what it has not written."""


class RayExecutor:
    """Runs jobs on a cluster that this process is connected to; see ``bench.fleet.cluster``."""

    def __init__(self, parcels: Mapping[str, Parcel], package: str, dependencies: Sequence[str]) -> None:
        import ray

        self._ray = ray
        self._head = ray.get_runtime_context().gcs_address
        self._folders = {digest: one.folder for digest, one in parcels.items()}
        self._refs = {digest: [ray.put(piece) for piece in _pieces(one.content)] for digest, one in parcels.items()}
        self._common = {"package": package, "dependencies": list(dependencies), "niceness": _niceness()}
        self._task = ray.remote(_remote())  # one, of which a node keeps what it has unpacked
        self._running: dict[Any, tuple[str, Node]] = {}  # the stream of each job's events, its name, and where it is

    def nodes(self) -> list[Node]:
        """Return nodes that are alive and have cores for work, each with a name of its own; see ``Executor``."""
        self._require_head()
        alive = sorted(
            (node for node in self._ray.nodes() if node["Alive"] and _whole(node["Resources"])),
            key=lambda node: (_name(node), node["NodeManagerAddress"], node["NodeManagerPort"]),
        )
        names: dict[str, int] = {}
        nodes = []
        for node in alive:
            name = _name(node)
            names[name] = names.get(name, 0) + 1
            numbered = name if names[name] == 1 else f"{name}-{names[name]}"
            nodes.append(Node(node["NodeID"], numbered, _whole(node["Resources"])))
        return nodes

    def start(self, name: str, node: Node, job: Job) -> None:
        """Start a job there, with no second try by Ray: another one would be another measurement."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        resources = dict(node.resources)
        options = {
            "num_cpus": resources.pop("CPU", 0),
            "resources": resources,
            "max_retries": 0,
            "num_returns": "streaming",
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.key, soft=False),
        }
        content = {
            **self._common,
            "module": job.module,
            "request": dict(job.request),
            "watched": list(job.watched),
            "resident": job.resident,
            "files": dict(job.files),
        }
        stream = self._task.options(**options).remote(content, self._folders, self._refs)
        self._running[stream] = name, node

    def events(self, timeout_s: float) -> Iterator[tuple[str, Event]]:
        """Wait for the next message of any job; see ``Executor``."""
        if not self._running:
            return
        streams = list(self._running)
        ready, _ = self._ray.wait(streams, num_returns=1, timeout=timeout_s, fetch_local=False)
        if ready:  # and all others that have news by now
            ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        for stream in ready:
            if stream in self._running:  # it may have been stopped meanwhile
                name, node = self._running[stream]
                yield name, self._next(stream, node)

    def _require_head(self) -> None:
        until = time.monotonic() + HEAD_S
        while fault := silence(self._head):
            if time.monotonic() >= until:
                raise HeadLostError(
                    f"the cluster's head node at {self._head} does not answer ({fault}); start Ray there again, and "
                    f"give the same command, which goes on."
                )
            time.sleep(1)

    def fate(self, key: str) -> str:
        """Return why a node is lost, as Ray says it; see ``Executor``."""
        return self._death(key) or ray_reasons.LOST

    def _death(self, key: str) -> str:
        """Return why a node is lost; empty if Ray does not know, or not yet, that it is."""
        dead = [node for node in self._ray.nodes() if node["NodeID"] == key and not node["Alive"]]
        if dead:
            return ray_reasons.of_node(dead[0])
        from ray._private.state import state  # Ray says it nowhere else

        return ray_reasons.DRAINED if key in state.get_draining_nodes() else ""

    def stop(self, name: str) -> None:
        """Cancel a job by force and forget it."""
        for stream in [one for one, (other, _) in self._running.items() if other == name]:
            del self._running[stream]
            self._cancel(stream)

    def _cancel(self, stream: Any) -> None:
        with contextlib.suppress(Exception):  # of a node that is gone there is nothing to cancel
            self._ray.cancel(stream, force=True)

    def _next(self, stream: Any, node: Node) -> Event:
        """Return a stream's next event; its end without one of kind ``end`` is one."""
        try:
            event: Event = self._ray.get(next(stream), timeout=ray_reasons.FETCH_S)
        except StopIteration:
            event = {"kind": "end", "code": None, "reason": "its task ended without a word"}
        except Exception as error:  # whatever keeps a node from being heard is the end of its job, and its reason
            self._cancel(stream)  # of a message that is lost the task still runs
            event = {"kind": "end", "code": None, "reason": self._death(node.key) or ray_reasons.of_task(error)}
        if event["kind"] == "end":
            del self._running[stream]
        return event


def _remote() -> Any:
    """Return the task, whose modules travel by value."""
    from ray import cloudpickle

    from bench.fleet import node_child, node_task
    from bench.tasks import temporary

    for module in (temporary, node_child, node_task):
        cloudpickle.register_pickle_by_value(module)
    work = node_task.work

    def on_node(job: dict[str, Any], parcels: dict[str, bool], refs: dict[str, list[Any]]) -> Any:
        import ray

        yield from work(job, parcels, lambda digest: b"".join(ray.get(ref) for ref in refs[digest]))

    on_node.__module__ = "__main__"  # by value, too
    return on_node


def _pieces(content: bytes) -> list[bytes]:
    return [content[start : start + CHUNK_BYTES] for start in range(0, max(len(content), 1), CHUNK_BYTES)]


def _whole(resources: Mapping[str, float]) -> dict[str, float]:
    """Return what a task takes to have a node alone: all cores, and its ``machine`` where it has one."""
    return {name: resources[name] for name in ("CPU", MACHINE) if resources.get(name)}


def _name(node: Mapping[str, Any]) -> str:
    """Return the name that somebody gave the node, else its host's."""
    named = node.get("NodeName") or ""
    return str(named if named and named != node["NodeManagerAddress"] else node["NodeManagerHostname"])


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0
