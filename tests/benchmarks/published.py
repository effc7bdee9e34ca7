"""Published CIFAR-10 accuracies beside ours, for docs/results.md; ours come from committed run files.

No published figure is of ResNet-8 after 20 epochs, so what is held against each other is what a technique loses of its
own float network. Where a paper does not give that, accuracies are shown and not judged beyond above or below.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bench.core.units import MISSING, percent
from bench.core.variant_key import BASELINE
from bench.report.tables import table
from bench.results.run import Run
from bench.results.run_file import load
from tests.repository import ROOT

REPORTS = ROOT / "reports"


@dataclass(frozen=True)
class Published:
    """One figure from the literature, of CIFAR-10 in percent."""

    technique: str
    """Ours that it is held against."""
    accuracy: float
    float_accuracy: float | None
    """Of the same network in float, where the source has it."""
    network: str
    source: str


LONG = "200 epochs"
PUBLISHED = (
    Published("fp32", 88.52, None, "ResNet-8, 150 epochs, the best of 120 trials", "Mirzadeh et al. 2020, table 1"),
    Published("dorefa:w1a32", 90.54, 92.13, f"ResNet-20, {LONG}", "zzzxxxttt/pytorch_DoReFaNet"),
    Published("dorefa:w4a4", 90.5, 91.6, f"ResNet-20, {LONG}", "Choi et al. 2018, their DoReFa"),
    Published("dorefa:w2a2", 88.2, 91.6, f"ResNet-20, {LONG}", "Choi et al. 2018, their DoReFa"),
    Published("dorefa:w1a1", 84.44, None, "ResNet-20", "FDA-BNN, table 1"),
    Published("pact:w4a4", 91.3, 91.6, f"ResNet-20, {LONG}", "Choi et al. 2018, table 1"),
    Published("pact:w2a2", 89.7, 91.6, f"ResNet-20, {LONG}", "Choi et al. 2018, table 1"),
    Published("xnor:w1a1", 85.23, None, "ResNet-20", "FDA-BNN, table 1"),
    Published(
        "binaryconnect:w1a32", 90.10, 89.36, "a VGG-like net, every layer binary, 500 epochs", "Courbariaux et al. 2015"
    ),
)


def render(run: Run) -> str:
    """Return the table for the techniques that ``run`` has."""
    reached = {
        row.technique: 100 * row.accuracy.correct / row.accuracy.total for row in run.rows if row.accuracy is not None
    }
    rows = []
    for claim in PUBLISHED:
        if claim.technique not in reached:
            continue
        ours = reached[claim.technique]
        ours_lost = reached[BASELINE.technique] - ours if claim.technique != BASELINE.technique else None
        lost = claim.float_accuracy - claim.accuracy if claim.float_accuracy is not None else None
        rows.append(
            [
                f"`{claim.technique}`",
                f"{ours:.2f} %",
                _points(ours_lost),
                f"{claim.accuracy:.2f} %",
                _points(lost),
                _held(ours, ours_lost, claim.accuracy, lost),
                f"{claim.network}; {claim.source}",
            ]
        )
    header = ["Technique", "Ours", "below float", "Published", "below float", "Ours is", "Published of"]
    return table(rows, header)


def _points(lost: float | None) -> str:
    return MISSING if lost is None else f"{lost:+.2f}".replace("+", "").replace("-", "−")


def _held(ours: float, ours_lost: float | None, published: float, lost: float | None) -> str:
    words = "above" if ours >= published else "**below**"
    if ours_lost is None or lost is None:
        return f"{words} it"
    return f"{words} it; loses {'less' if ours_lost <= lost else '**more**'}"


def resnet20() -> str:
    """Return the sentence on the committed ResNet-20."""
    [trained] = json.loads((REPORTS / "resnet20/training.json").read_text(encoding="utf-8"))
    accuracy = trained["accuracy"]
    return (
        f"ResNet-20, float32 weights trained under bfloat16 autocast, {trained['recipe']['epochs']} epochs in "
        f"{trained['seconds'] / 60:.0f} minutes on one core, seed {trained['seed']}: "
        f"{percent(accuracy['correct'] / accuracy['total'])} after the last epoch."
    )


def text() -> str:
    """Return what docs/results.md shows."""
    return f"{render(load(REPORTS / 'lowbit/run.json'))}\n\n{resnet20()}"
