"""Which trainings of ResNet-20 at low bits there are to make, in which order, and what each is held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Planned:
    """One training, and what it is held against."""

    technique: str
    epochs: int
    recipe: str
    published: float
    """Percent, of 200 epochs from random weights; see ``tests.benchmarks.published``."""
    start: str = ""
    """The key of the training that it starts from; empty for the float network."""
    teacher_weight: float = 0.0
    """λ of the loss that compares its answers with those of the network it starts from; 0 for none."""
    batch_size: int = 128
    label: str = ""
    """What tells it from other trainings of the same technique."""
    keep: bool = False
    """Whether its checkpoint is kept when no other training needs it any more."""

    @property
    def key(self) -> str:
        """What other trainings and ``--only`` call it."""
        return self.label or self.technique

    @property
    def name(self) -> str:
        """Of its files."""
        return self.key.replace(":", "-").replace(",", "-")

    def is_needed(self, out: Path) -> bool:
        """Whether its checkpoint, of 1.1 MB, is kept: by the plan, or as a training not made yet starts from it."""
        return self.keep or any(other.start == self.key and not (out / f"{other.name}.json").exists() for other in PLAN)


CHAIN = 0.5
"""λ of the chain of teacher assistants; τ is 1, as higher temperatures have harmed DoReFa students of others."""
RANDOM = "random weights"
PLAN = (
    Planned("pact:w4a4,alpha=3", 10, "warm-4bit", 91.3, keep=True),
    Planned("dorefa:w1a32", 10, "warm-1bit", 90.54),
    Planned("pact:w2a2", 12, "warm-2bit", 89.7, start="pact:w4a4,alpha=3"),
    Planned("dorefa:w4a4", 10, "warm-4bit", 90.5),
    Planned("dorefa:w2a2", 12, "warm-2bit", 88.2, start="dorefa:w4a4", keep=True),
    Planned("xnor:w1a1", 12, "warm-1bit", 85.23),
    Planned("dorefa:w1a1", 12, "warm-1bit", 84.44, start="dorefa:w2a2"),
    Planned("bwn", 10, "warm-1bit", 90.54),
    Planned("binaryconnect", 10, "warm-1bit", 90.54),
    # The chain of teacher assistants 32 → 2 → 1 (Mirzadeh et al. 2020): each rung starts from the one before and learns
    # from its answers. The controls have the epochs of both rungs: from the float network alone, or taught by it in one
    # step; and the chain's own starts without its teachers.
    Planned("dorefa:w2a2", 6, "warm-2bit", 87.83, teacher_weight=CHAIN, label="chain-2bit"),
    Planned("dorefa:w1a1", 6, "warm-1bit", 77.31, start="chain-2bit", teacher_weight=CHAIN, label="chain-1bit"),
    Planned("dorefa:w1a1", 12, "warm-1bit", 73.88, label="float-1bit"),
    Planned("dorefa:w1a1", 12, "warm-1bit", 77.26, teacher_weight=CHAIN, label="one-step-1bit"),
    Planned("dorefa:w2a2", 6, "warm-2bit", 85.6, label="untaught-2bit"),
    Planned("dorefa:w1a1", 6, "warm-1bit", 73.88, start="untaught-2bit", label="untaught-1bit"),
    # As long as the papers' trainings, for a GPU.
    Planned("fp32", 200, "long", 92.13, start=RANDOM, batch_size=256, label="fp32-200"),
    Planned("xnor:w1a1", 200, "signs", 85.23, start=RANDOM, batch_size=256, label="xnor:w1a1-200"),
    Planned(
        "dorefa:w1a1", 200, "warm-1bit", 84.44, start="dorefa:w2a2", batch_size=256, label="dorefa:w1a1-200", keep=True
    ),
    Planned("dorefa:w1a32", 100, "warm-1bit", 90.54, batch_size=256, label="dorefa:w1a32-100"),
    Planned("pact:w2a2", 100, "warm-2bit", 89.7, start="pact:w4a4,alpha=3", batch_size=256, label="pact:w2a2-100"),
)
