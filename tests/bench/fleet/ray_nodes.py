"""Some simulated machines on loopback: ``python -m tests.bench.fleet.ray_nodes m0 m1=/path/to/python …``.

Each node is a raylet of its own with one core. Standard output gets the address in a line, and a line for each command
that standard input gave, ``kill NAME`` say, once it is done; see ``COMMANDS``. The end of standard input is the end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray takes this machine's address in the place of loopback's
    "RAY_worker_niceness": "0",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
SHORT_OF_MEMORY = {"RAY_memory_usage_threshold": "0.0001", "RAY_memory_monitor_refresh_ms": "100"}
"""More than so little is in use on any machine, so Ray ends what it has started there."""
STORE_BYTES = 80 * 2**20
LOOPBACK = "127.0.0.1"
JOB = "bench.fleet.node_run"


def main() -> None:
    """Start the nodes and do what standard input says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", nargs="+", metavar="NAME[=PYTHON]")
    parser.add_argument("--short-of-memory", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
    from ray.cluster_utils import Cluster

    common = {"node_ip_address": LOOPBACK, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **common})
    nodes = {}
    for argument in options.nodes:
        name, _, python = argument.partition("=")
        with_them = SHORT_OF_MEMORY if name in options.short_of_memory else {}
        nodes[name] = _added(cluster, python or sys.executable, with_them, node_name=name, **common)
    cluster.wait_for_nodes(timeout=120)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        command, _, name = line.strip().partition(" ")
        COMMANDS[command](cluster, nodes[name])
        print(line.strip(), flush=True)
    _resume(psutil.Process().children(recursive=True))  # what stands still does not end when it is asked to
    cluster.shutdown()


def _added(cluster: Any, python: str, environment: dict[str, str], **options: Any) -> Any:
    """Start a node whose workers have this Python, and whose raylet has more in its environment."""
    own_python, sys.executable = sys.executable, python
    os.environ.update(environment)
    try:
        return cluster.add_node(wait=False, num_cpus=1, resources={"machine": 1}, **options)
    finally:
        sys.executable = own_python
        for name in environment:
            del os.environ[name]


def kill(cluster: Any, node: Any) -> None:
    """End the processes of a node by their ids."""
    cluster.remove_node(node, allow_graceful=False)


def drain(cluster: Any, node: Any) -> None:
    """Say that the node is about to be taken away, as ``ray drain-node`` does; it is not ended."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    accepted, why_not = GcsClient(address=cluster.address).drain_node(
        node.node_id, reason, "somebody else needs it", time.time_ns() // 10**6
    )
    assert accepted, why_not


def stop(cluster: Any, node: Any) -> None:
    """Let the whole node stand still."""
    for process in [_raylet(node), *_raylet(node).children(recursive=True)]:
        process.suspend()


def hang(cluster: Any, node: Any) -> None:
    """Let the node's job stand still, and the worker of Ray's that waits for it; Ray finds the node in order."""
    worker = _job(node).parent()
    assert worker is not None
    for process in [worker, *worker.children(recursive=True)]:
        process.suspend()


def behead(cluster: Any, node: Any) -> None:
    """End what holds the cluster together, as the death of the head node does; the node is any."""
    cluster.head_node.all_processes["gcs_server"][0].process.kill()


def go_on(cluster: Any, node: Any) -> None:
    """Let everything of the node that stands still go on."""
    _resume([_raylet(node), *_raylet(node).children(recursive=True)])


def exhaust(cluster: Any, node: Any) -> None:
    """End the node's job as a system that runs out of memory does."""
    _job(node).kill()


def _resume(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def _raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)


def _job(node: Any) -> psutil.Process:
    [job] = [one for one in _raylet(node).children(recursive=True) if JOB in one.cmdline()]
    return job


COMMANDS: dict[str, Callable[[Any, Any], None]] = {
    "kill": kill,
    "drain": drain,
    "stop": stop,
    "hang": hang,
    "go-on": go_on,
    "exhaust": exhaust,
    "behead": behead,
}


if __name__ == "__main__":
    main()
