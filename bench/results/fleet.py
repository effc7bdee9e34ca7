"""What a fleet's folder says of its nodes: the plan, and how far each one is."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import FailFast, Field

from bench.results.bounds import Count, Figure, Label, Name, Names, Text, at_most
from bench.results.record import Record
from bench.results.run_spec import RunSpec

FLEET_SCHEMA: Final = 1
State = Literal["waiting", "running", "finished", "failed"]


class NodeFacts(Record):
    """What is noted of a node beside its run file."""

    python: Label
    versions: Annotated[dict[Name, Label], at_most(1_000)]
    """Of the packages there: torch, runtimes, and a quantbench of the node's own."""
    load: Figure | None
    """The mean number of processes that wanted to run in the minute before; ``None`` where the system does not say."""
    niceness: int


class NodeRecord(Record):
    """One node."""

    name: Name
    state: State
    at: Name = ""
    """What it is doing."""
    done: Count = 0
    """Of that."""
    total: Count = 0
    since: Label = ""
    """When that began; ISO 8601, UTC."""
    reason: Text = ""
    """Why it has not finished; empty if it has, or may."""
    facts: NodeFacts | None = None
    rows: Count = 0
    """Rows that its run file has."""
    failed_rows: Count = 0


class Fleet(Record):
    """One suite on many nodes."""

    schema_version: Literal[1] = FLEET_SCHEMA
    quantbench: Label
    created: Label
    """ISO 8601, UTC."""
    spec: RunSpec
    training_isa: Names = []
    """The instruction sets of the machine that trained."""
    content: Name = ""
    """Changes with the weights, the data and the user's files."""
    nodes: Annotated[list[NodeRecord], FailFast()] = Field(default=[], max_length=100_000)
