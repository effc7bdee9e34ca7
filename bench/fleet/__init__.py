"""One suite on many machines: Ray places a run on each node and carries its file; trainings spread likewise."""

from bench.fleet.runner import FleetRun, run

__all__ = ["FleetRun", "run"]
