"""The pages of the smaller low-bit reports are made of the figures that are committed beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import dorefa_clip, post_training, training_memory, training_step
from tests.repository import ROOT

REPORTS = ROOT / "reports"


@pytest.mark.parametrize(
    ("figures", "page", "render"),
    [
        (REPORTS / "dorefa-clip/dorefa_clip.json", "README.md", dorefa_clip.render),
        (REPORTS / "lowbit-post-training/post_training.json", "README.md", post_training.render),
        (REPORTS / "training-speed/training_step.json", "training_step.md", training_step.render),
        (REPORTS / "training-speed/training_memory.json", "training_memory.md", training_memory.render),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_the_page_is_what_the_figures_say(figures: Path, page: str, render: Callable[[dict[str, Any]], str]) -> None:
    text = render(json.loads(figures.read_text(encoding="utf-8")))
    assert (figures.parent / page).read_text(encoding="utf-8") == text + "\n"


def test_the_chosen_variant_is_the_best_on_training_images() -> None:
    assert post_training.best({"one": 5, "two": 7, "three": 7}) == "two"
