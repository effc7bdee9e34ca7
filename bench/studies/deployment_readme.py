"""The README of an exported folder: what it is, what it was verified with, and how to run it."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

from bench.core.units import counted, kilobytes, percent
from bench.results.evaluation import Evaluation
from bench.results.machine import Machine
from bench.runtimes.deployment import EXAMPLE, PROGRAM
from bench.worker.messages import DeployedFacts, VariantFacts


def render(
    title: str,
    machine: Machine,
    threads: int,
    facts: VariantFacts,
    deployed: DeployedFacts,
    evaluation: Evaluation,
    folder: Path,
) -> str:
    """Return it in markdown."""
    files = ", ".join(f"`{name}` ({kilobytes((folder / name).stat().st_size)} kB)" for name in deployed.files)
    install = " ".join(f"{name}=={number.partition('+')[0]}" for name, number in _pairs(deployed.packages))
    facts_and_notes = [
        f"{facts.params:,} parameters in float32",
        *_accuracy(evaluation),
        *deployed.notes,
        *facts.notes,
        *(["**simulated**: it computes in float32 what low precision would, and is no faster"] * facts.simulated),
    ]
    return f"""# {title}

{files}: loaded by `{PROGRAM}`, which needs {", ".join(name for name, _ in _pairs(deployed.packages))} and no quantbench.

```sh
pip install {install}
python {PROGRAM}               # answers {EXAMPLE} and compares with the answers when it was exported
python {PROGRAM} INPUTS.npy    # answers your own
```

Inputs: {deployed.inputs}, prepared as for the model in PyTorch.

{chr(10).join(f"- {note}" for note in facts_and_notes)}

Exported by quantbench {version("quantbench")} on {datetime.datetime.now(datetime.UTC).date()}, on {machine.cpu}
({", ".join(machine.isa) or machine.architecture}), for {counted(threads, "thread")}, with Python {platform.python_version()} and
{", ".join(deployed.packages)}. A fresh process without quantbench gave the same outputs to the bit as the one that built
it; another CPU or version may round otherwise.
"""


def _pairs(packages: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, number) for name, _, number in (package.partition(" ") for package in packages)]


def _accuracy(evaluation: Evaluation) -> list[str]:
    if evaluation.accuracy is not None:
        accuracy = evaluation.accuracy
        share = percent(accuracy.correct / accuracy.total)
        return [f"accuracy {share} on the {accuracy.total:,} examples of the test set"]
    return [f"accuracy {percent(evaluation.share)}"] if evaluation.share is not None else ["accuracy not judged"]
