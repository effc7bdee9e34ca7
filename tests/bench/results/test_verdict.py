"""Words are given sparingly, and each has its figures beside it."""

from __future__ import annotations

import pytest

from bench.results.latency import Speedup
from bench.results.row import Accuracy, Row
from bench.results.verdict import accuracy_verdicts, latency_verdicts, p_text, speed, uncertain_losses
from bench.stats.multiple_tests import ACCURACY_ALPHA, LATENCY_ALPHA
from bench.stats.proportions import mcnemar
from tests.bench.examples import AMP, FP16, FP32, QINT8, RUN, STATIC, agreement, speedup


def row(found: Speedup | None) -> Row:
    return QINT8.model_copy(update={"speedup": {} if found is None else {1: found}})


def words(*found: Speedup | None) -> list[str]:
    return [verdict.word for verdict in latency_verdicts([row(each) for each in found], 1)]


@pytest.mark.parametrize(
    ("value", "p_value", "word", "sentence"),
    [
        (3.0, 1e-12, "faster", "faster, 3.00× [2.90, 3.10] over 10 processes, p < 0.0001"),
        (0.5, 5e-4, "slower", "slower, 0.50× [0.40, 0.60] over 10 processes, p = 0.0005"),
        (1.1, LATENCY_ALPHA, "faster", "faster, 1.10× [1.00, 1.20] over 10 processes, p = 0.005"),
        (1.1, 0.0051, "no difference detected", "no difference detected, 1.10× [1.00, 1.20] over 10 processes"),
        (0.9, 0.37, "no difference detected", "no difference detected, 0.90× [0.80, 1.00] over 10 processes"),
    ],
)
def test_a_word_and_the_figures_behind_it(value: float, p_value: float, word: str, sentence: str) -> None:
    verdict = speed(speedup(value, 0.1, p_value), adjusted_p=p_value)
    assert verdict.word == word
    assert verdict.sentence.startswith(sentence)


def test_where_it_holds_comes_first() -> None:
    assert speed(speedup(3.0, 0.1, 1e-12), 1e-12, "at batch 64").sentence.startswith("at batch 64: faster, 3.00×")


def test_one_surprise_among_ten_is_none() -> None:
    lone, dull = speedup(1.1, 0.05, p_value=0.001), speedup(1.0, 0.05, p_value=0.6)
    assert words(lone) == ["faster"]
    assert words(lone, *[dull] * 9) == ["no difference detected"] * 10
    assert "p = 0.01" in latency_verdicts([row(one) for one in (lone, *[dull] * 9)], 1)[0].sentence


def test_the_rows_of_another_model_are_another_family() -> None:
    lone, dull = row(speedup(1.1, 0.05, p_value=0.001)), row(speedup(1.0, 0.05, p_value=0.6))
    others = [dull.model_copy(update={"model": f"lab{number}"}) for number in range(2, 11)]
    assert latency_verdicts([lone, *others], 1)[0].word == "faster"


def test_what_so_few_processes_can_say_is_said() -> None:
    """Of seven processes the smallest p-value is 2 / 2⁷ = 0.016."""
    few = speedup(3.0, 0.1, p_value=2 / 2**7, n=7)
    [verdict] = latency_verdicts([row(few)], 1)
    assert verdict.word == "no difference detected"
    assert verdict.sentence.endswith("over 7 processes, p = 0.016; a verdict takes at least 9")


def test_what_was_retired_is_slower_without_an_interval() -> None:
    slow = Speedup(value=0.05, low=0.05, high=0.05, confidence=0.0, p_value=0.25, n=3, retired=True)
    [verdict] = latency_verdicts([row(slow)], 1)
    assert verdict.word == "slower"
    assert verdict.sentence.endswith(
        "0.050×; it took more than three times fp32's time in every process timed (3), so no more were"
    )
    assert "[" not in verdict.sentence


def test_what_was_retired_is_not_in_the_family() -> None:
    slow = Speedup(value=0.05, low=0.05, high=0.05, confidence=0.0, p_value=0.25, n=3, retired=True)
    assert words(speedup(1.1, 0.05, p_value=0.004), slow) == ["faster", "slower"]


def test_many_strong_findings_stand_beside_each_other() -> None:
    assert words(*[speedup(2.0, 0.1, p_value=1e-6)] * 10) == ["faster"] * 10


def test_rows_that_cannot_be_compared_do_not_weaken_the_others() -> None:
    lone = speedup(1.1, 0.05, p_value=0.005)
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
            row(Speedup(value=2.0, low=2.0, high=2.0, confidence=0.0, p_value=1.0, n=1)),
            "at batch 1: not comparable, measured in 1 process, and an interval takes 8; measure again",
        ),
        (
            row(Speedup(value=2.0, low=2.0, high=2.0, confidence=0.0, p_value=1.0, n=5)),
            "at batch 1: not comparable, measured in 5 processes, and an interval takes 8; measure again",
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
    lone = answers(lost=35, gained=15)  # p = 0.0066
    assert [verdict.word for verdict in accuracy_verdicts([lone])] == ["worse"]
    assert {verdict.word for verdict in accuracy_verdicts([lone, *[answers(0, 0)] * 7])} == {"no difference detected"}


def test_a_loss_of_49_answers_is_called_one() -> None:
    """McNemar's p = 0.003, which a level of 0.001 left undecided."""
    assert accuracy_verdicts([answers(lost=158, gained=109)])[0].word == "worse"


def test_losses_that_are_undecided_among_many_rows_are_uncertain_and_gains_are_not() -> None:
    lone, gain, dull = answers(lost=35, gained=15), answers(lost=15, gained=35), answers(0, 0)
    assert uncertain_losses([lone]) == []
    assert uncertain_losses([dull, lone, gain, *[dull] * 7]) == [lone]
    assert mcnemar(35, 15) < ACCURACY_ALPHA


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
