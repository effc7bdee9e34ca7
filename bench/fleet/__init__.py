"""One suite on many machines: Ray places a run on each node and carries its file; trainings spread likewise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.fleet.runner import FleetRun, run

__all__ = ["FleetRun", "run"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'bench.fleet' has no attribute {name!r}")
    from bench.fleet import runner  # not before: a node's process needs a part of this package alone

    return getattr(runner, name)
