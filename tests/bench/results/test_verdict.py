"""Words are given sparingly, and each has its figures beside it."""

from __future__ import annotations

import pytest

from bench.results.latency import Speedup
from bench.results.row import Accuracy, Row
from bench.results.verdict import accuracy_verdicts, latency_verdicts, p_text, speed
from bench.stats.multiple_tests import ALPHA
from tests.bench.examples import AMP, FP16, FP32, QINT8, RUN, STATIC, agreement, speedup


def row(found: Speedup | None) -> Row:
    return QINT8.model_copy(update={"speedup": {} if found is None else {1: found}})


def words(*found: Speedup | None) -> list[str]:
    return [verdict.word for verdict in latency_verdicts([row(each) for each in found], 1)]


@pytest.mark.parametrize(
    ("value", "p_value", "word", "sentence"),
    [
        (3.0, 1e-12, "faster", "faster, 3.00× [2.90, 3.10] over 10 paired rounds, p < 0.0001"),
        (0.5, 5e-4, "slower", "slower, 0.50× [0.40, 0.60] over 10 paired rounds, p = 0.0005"),
        (1.1, ALPHA, "no difference detected", "no difference detected, 1.10× [1.00, 1.20] over 10 paired rounds"),
        (0.9, 0.37, "no difference detected", "no difference detected, 0.90× [0.80, 1.00] over 10 paired rounds"),
    ],
)
def test_a_word_and_the_figures_behind_it(value: float, p_value: float, word: str, sentence: str) -> None:
    verdict = speed(speedup(value, 0.1, p_value), adjusted_p=p_value)
    assert verdict.word == word
    assert verdict.sentence.startswith(sentence)


def test_where_it_holds_comes_first() -> None:
    assert speed(speedup(3.0, 0.1, 1e-12), 1e-12, "at batch 64").sentence.startswith("at batch 64: faster, 3.00×")


def test_one_surprise_among_ten_is_none() -> None:
    lone, dull = speedup(1.1, 0.05, p_value=0.0005), speedup(1.0, 0.05, p_value=0.6)
    assert words(lone) == ["faster"]
    assert words(lone, *[dull] * 9) == ["no difference detected"] * 10
    assert "p = 0.005" in latency_verdicts([row(each) for each in (lone, *[dull] * 9)], 1)[0].sentence


def test_many_strong_findings_stand_beside_each_other() -> None:
    assert words(*[speedup(2.0, 0.1, p_value=1e-6)] * 10) == ["faster"] * 10


def test_rows_that_cannot_be_compared_do_not_weaken_the_others() -> None:
    lone = speedup(1.1, 0.05, p_value=0.0005)
    assert words(lone, None, None, None)[0] == "faster"


def test_each_row_of_a_run_has_its_verdict() -> None:
    assert [(verdict.word, verdict.sentence.partition(", ")[2][:5]) for verdict in latency_verdicts(RUN.rows, 64)] == [
        ("not comparable", ""),
        ("no difference detected", "1.04×"),
        ("faster", "3.00×"),
        ("not comparable", "this "),
        ("not comparable", "the p"),
    ]


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (FP32, "it is fp32 itself"),
        (STATIC, "not comparable, this torch has no fbgemm engine; try --engine with one of: qnnpack"),
        (AMP, "not comparable, the process died of SIGSEGV"),
        (row(None), "not comparable, fp32 was not measured"),
        (
            row(Speedup(value=2.0, low=2.0, high=2.0, confidence=0.0, p_value=1.0, n=5)),
            "at batch 1: not comparable, 5 paired rounds are too few for an interval",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(one: Row, sentence: str) -> None:
    [verdict] = latency_verdicts([one], 1)
    assert (verdict.word, verdict.sentence) == ("not comparable", sentence)


def answers(lost: int, gained: int) -> Row:
    """Return a row whose 10,000 answers differ from fp32's so often."""
    correct = 9707 - lost + gained
    return QINT8.model_copy(
        update={
            "accuracy": Accuracy(correct=correct, total=10_000),
            "agreement": agreement(same=10_000 - lost - gained, lost=lost, gained=gained),
        }
    )


@pytest.mark.parametrize(
    ("lost", "gained", "word"),
    [(80, 23, "worse"), (23, 80, "better"), (9, 8, "no difference detected"), (0, 0, "no difference detected")],
)
def test_accuracy_is_judged_by_the_answers_that_differ(lost: int, gained: int, word: str) -> None:
    [verdict] = accuracy_verdicts([answers(lost, gained)])
    assert verdict.word == word
    assert verdict.sentence.startswith(f"accuracy: {word}, of 10,000 examples {lost} lost and {gained} gained, p ")


def test_accuracies_are_one_family() -> None:
    lone = answers(lost=21, gained=4)  # p = 0.00091
    assert [verdict.word for verdict in accuracy_verdicts([lone])] == ["worse"]
    assert [verdict.word for verdict in accuracy_verdicts([lone, answers(0, 0)])] == ["no difference detected"] * 2


def test_agreement_is_said_beside_the_accuracy() -> None:
    assert accuracy_verdicts([FP16])[0].sentence.endswith("p = 1, 100.00 % answered alike")


def test_the_accuracy_of_a_row_that_failed_later_is_judged() -> None:
    assert accuracy_verdicts([AMP])[0].word == "worse"
    assert accuracy_verdicts([STATIC])[0].word == "not comparable"


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(1.0, "p = 1"), (0.0213, "p = 0.021"), (1e-4, "p = 0.0001"), (9.9e-5, "p < 0.0001"), (0.0, "p < 0.0001")],
)
def test_tiny_probabilities_are_not_spelled_out(p_value: float, text: str) -> None:
    assert p_text(p_value) == text
