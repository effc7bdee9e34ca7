"""A distillation in markdown: the golden page."""

from __future__ import annotations

from pathlib import Path

from bench.report.distillation import render
from bench.results.distillation import Distillation, Route, Source, Student
from bench.results.row import Accuracy
from tests.bench.examples import MACHINE

GOLDEN = Path(__file__).with_name("golden_distillation.md")


def student(bits: int, route: Route, source: Source, seed: int, correct: int | None) -> Student:
    return Student(
        bits=bits,
        route=route,
        source=source,
        seed=seed,
        technique=f"dorefa:w{bits}a{bits}",
        accuracy=None if correct is None else Accuracy(correct=correct, total=10_000),
        packed_bytes=None if correct is None else 4_000 * bits,
        seconds=None if correct is None else 1.5,
        reason="its teacher failed: the loss is not finite" if correct is None else "",
    )


RESULT = Distillation(
    quantbench="0.1.0",
    created="2026-01-02T03:04:05+00:00",
    machine=MACHINE,
    model="mnist/lab1",
    data="synthetic",
    recipe={"epochs": 2},
    family="dorefa",
    chain=[32, 2, 1],
    weight=0.5,
    temperature=4.0,
    seeds=[0, 1],
    teacher="mnist/lab2",
    students=[
        *(student(32, "alone", "", seed, 9_700 + seed) for seed in (0, 1)),
        *(student(2, "alone", "", seed, 9_500 + 20 * seed) for seed in (0, 1)),
        student(2, "chain", "both", 0, 9_600),
        student(2, "chain", "both", 1, None),
        *(student(1, "chain", "both", seed, None) for seed in (0, 1)),
    ],
)


def test_the_page_is_the_golden_one() -> None:
    """After an intended change: write ``render(RESULT)`` to the golden file and read the difference."""
    assert render(RESULT) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_it_says_what_trained_where_that_is_known() -> None:
    assert "Trained on" not in render(RESULT)
    assert render(RESULT.model_copy(update={"processors": ["A", "B"]})).endswith(" Trained on A and B.")


def test_cells_are_means_over_the_seeds_that_did_not_fail() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in render(RESULT).splitlines()[2:5]]
    assert rows == [
        ["32", "128.0", "97.00 ± 0.01 %", "–"],
        ["2", "8.0", "95.10 ± 0.14 %", "96.00 % (1 of 2)"],
        ["1", "–", "–", "failed"],
    ]
