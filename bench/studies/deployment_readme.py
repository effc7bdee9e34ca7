"""The README of an exported folder: what it is, what it was verified with, and how to run it."""

from __future__ import annotations

import datetime
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.core.units import counted, kilobytes, percent
from bench.results.evaluation import Evaluation
from bench.results.machine import Machine
from bench.runtimes.deployment import EXAMPLE, PROGRAM
from bench.worker.messages import DeployedFacts, VariantFacts


@dataclass(frozen=True)
class Export:
    """What was exported, and what is known of it."""

    title: str
    machine: Machine
    threads: int
    facts: VariantFacts
    deployed: DeployedFacts
    evaluation: Evaluation
    error: float
    """Relative error of the program's answers; 0 if they were the same to the bit."""


def render(export: Export, folder: Path) -> str:
    """Return it in markdown."""
    facts, deployed, machine = export.facts, export.deployed, export.machine
    files = ", ".join(f"`{name}` ({kilobytes((folder / name).stat().st_size)} kB)" for name in deployed.files)
    names = [name for name, _ in _pairs(deployed.packages)]
    install = " ".join(f"{name}=={number.partition('+')[0]}" for name, number in _pairs(deployed.packages))
    isa = ", ".join(machine.isa) or machine.architecture
    versions = ", ".join([f"Python {platform.python_version()}", *deployed.packages])
    simulated = "**simulated**: it computes in float32 what low precision would, and is no faster"
    known = [
        f"inputs: {deployed.inputs}, prepared as for the model in PyTorch",
        f"{facts.params:,} parameters in float32",
        *_accuracy(export.evaluation),
        *deployed.notes,
        *facts.notes,
        *([simulated] if facts.simulated else []),
        f"exported by quantbench {version('quantbench')} on {datetime.datetime.now(datetime.UTC).date()}",
        f"for {counted(export.threads, 'thread')}, on {machine.cpu} ({isa})",
        f"verified with {versions}: {_verified(export.error)}; another CPU or version may round otherwise",
    ]
    notes = "\n".join(f"- {note}" for note in known)
    return f"""# {export.title}

{files}: loaded by `{PROGRAM}`, which needs {" and ".join(names)}, and no quantbench.

```sh
pip install {install}
python {PROGRAM}               # answers {EXAMPLE}
python {PROGRAM} INPUTS.npy    # answers your own; of several inputs an .npz with input0, input1, …
```

Beside its inputs `{EXAMPLE}` has the answers to them when it was exported, `output0` and so on: compare them elsewhere.

{notes}
"""


def _verified(error: float) -> str:
    same = f"but for rounding (relative error {error:.1g})" if error else "to the bit"
    return f"a fresh process without quantbench gave the outputs of the one that built it {same}"


def _pairs(packages: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, number) for name, _, number in (package.partition(" ") for package in packages)]


def _accuracy(evaluation: Evaluation) -> list[str]:
    if evaluation.accuracy is not None:
        accuracy = evaluation.accuracy
        share = percent(accuracy.correct / accuracy.total)
        return [f"accuracy {share} on the {accuracy.total:,} examples of the test set"]
    return [f"accuracy {percent(evaluation.share)}"] if evaluation.share is not None else ["accuracy not judged"]
