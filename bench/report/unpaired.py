"""What a report says of rounds that are not paired, as pytest-benchmark's are not."""

from __future__ import annotations

from bench.core.units import counted
from bench.results.provenance import Data
from bench.results.run import Run

HOW_TO_READ = (
    "Speed-up: fp32's time divided by the variant's, each the mean of its fastest quarter of the rounds. "
    "pytest-benchmark times one test after the other, so the rounds are not paired with fp32's and a speed-up has "
    "neither interval nor verdict; `bench run` measures both. Accuracy: 95 % Wilson interval."
)
QUIET = "pytest-benchmark does not record which rounds were disturbed from outside."


def caption(run: Run, data: Data) -> str:
    """Return what every table of a task must say: which data, how timed."""
    kind = {
        "real": f"{data.title}, real data",
        "synthetic": f"{data.title}, **SYNTHETIC data, not {data.title}**",
        "own": data.title,
    }[data.kind]
    means = f"mean ± std over {counted(run.settings.runs, 'run')}" if run.settings.runs > 1 else "mean over all rounds"
    return (
        f"{kind}: accuracy on the examples that each test took; latency of one call on {run.settings.device} with "
        f"{counted(run.settings.threads, 'thread')}, timed by pytest-benchmark, {means}."
    )
