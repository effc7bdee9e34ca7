"""Why Ray gives a job or a node up, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FETCH_S = 30.0
"""A message that is announced and does not arrive for so long is lost."""
LOST = "the node died, was drained or is out of reach"
DRAINED = "the node was drained"
_DEATHS = {1: "Ray was stopped there", 2: "the node died or is out of reach", 3: DRAINED, 4: DRAINED}
"""By the numbers of Ray's ``NodeDeathInfo.Reason``; it has no names for them in Python."""
_ERRORS = {
    "NodeDiedError": LOST,
    "TaskUnschedulableError": "the node left the cluster before it could begin",
    "OutOfMemoryError": "the node ran out of memory, so Ray ended the job there",
    "WorkerCrashedError": "the job's process died; a system that runs out of memory ends processes so",
    "GetTimeoutError": f"a message of it did not arrive for {FETCH_S:g} s",
    "TaskCancelledError": "it was cancelled",
}


def of_node(node: Mapping[str, Any]) -> str:
    """Return why a node is dead, of which Ray's list of nodes has this record."""
    words = _DEATHS.get(node.get("DeathReason", 0), LOST)
    message = str(node.get("DeathReasonMessage") or "").strip().rstrip(".")
    return f"{words} ({message})" if message else words


def of_task(error: Exception) -> str:
    """Return what became of a task whose result is this error."""
    name = type(error).__name__
    if name in _ERRORS:
        return _ERRORS[name]
    lines = str(error).strip().splitlines() or [name]
    return lines[-1].strip()
