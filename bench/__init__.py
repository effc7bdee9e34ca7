"""Quantbench: what a smaller PyTorch model gains on this machine, and what it costs.

Nothing here imports torch until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.comparing.comparison import compare
    from bench.distillation import distill
    from bench.errors import QuantbenchError
    from bench.exporter import export
    from bench.inspector import inspect
    from bench.layerwise.study import sensitivity
    from bench.lowbit.binary_connect import BC
    from bench.own.measuring import measure
    from bench.packing import PackedModel
    from bench.result import Run
    from bench.runner import run
    from bench.selfcheck.check import self_check
    from bench.trainer import train

__all__ = [
    "BC",
    "QuantbenchError",
    "compare",
    "distill",
    "export",
    "inspect",
    "load_packed",
    "load_run",
    "measure",
    "run",
    "self_check",
    "sensitivity",
    "train",
]


def load_packed(path: str | Path, device: str = "cpu") -> PackedModel:
    """Rebuild a variant from the file that ``bench export`` wrote.

    Raises ``bench.errors.CheckpointError``, or ``UnsupportedError`` where it cannot run here.
    """
    from pathlib import Path

    from bench.packing import load

    return load(Path(path), device)


def load_run(path: str | Path) -> Run:
    """Read a ``run.json`` or a file of pytest-benchmark; raises ``bench.errors.RunFileError`` if it is neither."""
    from pathlib import Path

    from bench.run_file import load

    return load(Path(path))


_WHERE = {
    "BC": "bench.lowbit.binary_connect",
    "QuantbenchError": "bench.errors",
    "compare": "bench.comparing.comparison",
    "distill": "bench.distillation",
    "export": "bench.exporter",
    "inspect": "bench.inspector",
    "run": "bench.runner",
    "self_check": "bench.selfcheck.check",
    "sensitivity": "bench.layerwise.study",
    "train": "bench.trainer",
}
"""What is imported when it is used."""


def __getattr__(name: str) -> object:
    if name == "measure":
        return importlib.import_module("bench.measure")  # it can be called
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
