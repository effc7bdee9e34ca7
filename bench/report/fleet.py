"""The report of a fleet: how far each node is, and what the machines say together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.core.files import write_atomically
from bench.core.units import MISSING
from bench.report.tables import Table
from bench.results.fleet import Fleet
from bench.results.run import Run


def status(fleet: Fleet) -> Table:
    """Return what each node is at, since when, or why it stopped."""
    rows = [
        [
            node.name,
            node.state,
            node.reason or (node.at if node.state in ("running", "waiting") else "") or MISSING,
            f"{node.done} of {node.total}" if node.state == "running" and node.total else MISSING,
            node.since or MISSING,
            node.rows,
        ]
        for node in fleet.nodes
    ]
    return Table(["Node", "State", "At", "Done", "Since", "Rows"], rows)


def write(fleet: Fleet, runs: Mapping[str, Run], folder: Path) -> None:
    """Write ``report.md``."""
    write_atomically(folder / "report.md", status(fleet).markdown() + "\n")
