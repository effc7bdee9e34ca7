"""Quantbench: what a smaller PyTorch model gains on this machine, and what it costs.

Nothing here imports torch until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench import fleet
    from bench.comparing.comparison import compare
    from bench.core.errors import QuantbenchError
    from bench.results.run import Run
    from bench.running.measure import measure
    from bench.running.runner import run
    from bench.storage.checkpoint import Trained
    from bench.storage.packed import PackedModel
    from bench.studies.distill import distill
    from bench.studies.export import export
    from bench.studies.inspect import inspect
    from bench.studies.recommend import recommend
    from bench.studies.selfcheck import self_check
    from bench.studies.sensitivity.study import sensitivity
    from bench.studies.train import train
    from bench.techniques.lowbit.binary_connect import BC

__all__ = [
    "BC",
    "QuantbenchError",
    "compare",
    "distill",
    "export",
    "fleet",
    "inspect",
    "load_checkpoint",
    "load_packed",
    "load_run",
    "measure",
    "recommend",
    "run",
    "self_check",
    "sensitivity",
    "train",
]


_WHERE = {
    "BC": "bench.techniques.lowbit.binary_connect",
    "QuantbenchError": "bench.core.errors",
    "compare": "bench.comparing.comparison",
    "distill": "bench.studies.distill",
    "export": "bench.studies.export",
    "inspect": "bench.studies.inspect",
    "measure": "bench.running.measure",
    "recommend": "bench.studies.recommend",
    "run": "bench.running.runner",
    "self_check": "bench.studies.selfcheck",
    "sensitivity": "bench.studies.sensitivity.study",
    "train": "bench.studies.train",
}
"""What is imported when it is used. No package is called like one of them: importing it would hide the function."""
_NOTEBOOK = {
    ("bench.results.run", "Run"): lambda run: _render("markdown", [run], pictures=False),
    ("bench.results.sensitivity", "Sensitivity"): lambda study: _render("sensitivity", study, picture=None),
    ("bench.results.inspection", "Inspection"): lambda inspection: _render("inspection", inspection),
    ("bench.results.selfcheck", "SelfCheck"): lambda check: _render("selfcheck", check),
    ("bench.results.recommendation", "Recommendation"): lambda made: _render("recommendation", made),
    ("bench.comparing.comparison", "Comparison"): lambda comparison: _render("machines", comparison),
}
"""How a notebook shows what these functions return; the results themselves know nothing of reports."""


def load_checkpoint(path: str | Path) -> Trained:
    """Rebuild a network that quantbench trained, with its hyperparameters, from its ``.safetensors`` alone.

    Returns (network, training): ``training.hyperparameters`` built the network, ``training.recipe`` trained it. Raises
    ``bench.QuantbenchError`` for a file that is no such one.
    """
    from pathlib import Path

    from bench.storage.checkpoint import load

    return load(Path(path), way_out="name another")


def load_packed(path: str | Path, device: str = "cpu") -> PackedModel:
    """Rebuild a variant from the file that ``bench export`` wrote.

    Raises ``bench.QuantbenchError`` for a file that is no such one, or a variant that cannot run here.
    """
    from pathlib import Path

    from bench.storage.packed import load

    return load(Path(path), device)


def load_run(path: str | Path) -> Run:
    """Read a ``run.json`` or a file of pytest-benchmark; raises ``bench.QuantbenchError`` if it is neither."""
    from pathlib import Path

    from bench.results.run_file import load

    _show_in_notebooks()
    return load(Path(path))


def __getattr__(name: str) -> object:
    if name == "fleet":
        return importlib.import_module("bench.fleet")
    if name not in _WHERE:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    _show_in_notebooks()
    return getattr(importlib.import_module(_WHERE[name]), name)


def _show_in_notebooks() -> None:
    """Give results the method that IPython asks for, and a run what ``print`` shows: the terminal's tables."""
    for (module, name), render in _NOTEBOOK.items():
        getattr(importlib.import_module(module), name)._repr_markdown_ = render
    importlib.import_module("bench.results.run").Run.__str__ = _printed


def _printed(run: Run) -> str:
    from bench.report.markdown import result_tables

    return result_tables(run)


def _render(module: str, *args: object, **options: object) -> str:
    text: str = importlib.import_module(f"bench.report.{module}").render(*args, **options)
    return text
