"""What the figures of a report came from: this version of quantbench, now, on this machine."""

from __future__ import annotations

import datetime
from importlib.metadata import version
from typing import Any

from bench.measuring.machine import describe
from bench.results.machine import Machine


def provenance(machine: Machine | None = None) -> dict[str, Any]:
    """Return version, time and machine, by default this one, as the first fields of a file of figures."""
    return {
        "quantbench": version("quantbench"),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": (machine or describe()).model_dump(),
    }
