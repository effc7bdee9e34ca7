"""Quantbench: what a smaller PyTorch model gains on this machine, and what it costs.

Nothing here imports torch until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.result import Run
    from bench.runner import run
    from bench.selfcheck.check import self_check

__all__ = ["load_run", "run", "self_check"]


def load_run(path: str | Path) -> Run:
    """Read a ``run.json``; raises ``bench.errors.RunFileError`` if it is not one that can be read."""
    from pathlib import Path

    from bench.result import load

    return load(Path(path))


def __getattr__(name: str) -> object:
    if name == "run":
        from bench.runner import run

        return run
    if name == "self_check":
        from bench.selfcheck.check import self_check

        return self_check
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
