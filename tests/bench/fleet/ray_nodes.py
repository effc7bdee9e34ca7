"""Some simulated machines on loopback: ``python -m tests.bench.fleet.ray_nodes m0 m1=/path/to/python …``.

Each node is a raylet of its own with one core. Standard output gets the address in a line, and a line for each command
that standard input gave: ``kill NAME`` ends the processes of a node by their ids. The end of standard input is the end.
"""

from __future__ import annotations

import os
import sys

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray takes this machine's address in the place of loopback's
    "RAY_worker_niceness": "0",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
STORE_BYTES = 80 * 2**20
LOOPBACK = "127.0.0.1"


def main() -> None:
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
    from ray.cluster_utils import Cluster

    common = {"node_ip_address": LOOPBACK, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **common})
    own_python = sys.executable
    nodes = {}
    for argument in sys.argv[1:]:
        name, _, python = argument.partition("=")
        sys.executable = python or own_python  # of the workers there
        nodes[name] = cluster.add_node(wait=False, num_cpus=1, resources={"machine": 1}, node_name=name, **common)
    sys.executable = own_python
    cluster.wait_for_nodes(timeout=120)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        command, _, name = line.strip().partition(" ")
        if command == "kill":
            cluster.remove_node(nodes.pop(name), allow_graceful=False)
        print(line.strip(), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
