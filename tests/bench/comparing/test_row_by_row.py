"""Two runs of one machine: what is told apart, and what noise explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bench.comparing import row_by_row
from bench.comparing.family import judge
from bench.comparing.latency_change import BETWEEN_SESSIONS, MORE_PROCESSES, NO_REFERENCE, RETIRED
from bench.results.change import Change
from bench.results.latency import Latency, Summary
from bench.results.row import Accuracy, Row
from bench.results.run import ReferenceLatency, Run
from bench.stats import proportions
from bench.stats.multiple_tests import ACCURACY_ALPHA, LATENCY_ALPHA
from tests.bench.examples import FP32, QINT8, RUN, latency
from tests.bench.sessions import session


def changes(base: Run, new: Run, quantity: str = "latency") -> dict[tuple[str, int | None], Change]:
    """Return the changes of one quantity by technique and batch size."""
    return {
        (str(change.variant), change.batch_size): change
        for change in judge([row_by_row.figures(base, new)], ())[0]
        if change.quantity == quantity
    }


def words(base: Run, new: Run, quantity: str = "latency") -> list[str]:
    return [change.word for change in changes(base, new, quantity).values()]


# Latency


def test_a_machine_that_is_slower_altogether_has_changed_nothing() -> None:
    compared = changes(session(seed=1), session(seed=2, drift=1.4))
    assert len(compared) == 6
    assert {change.word for change in compared.values()} == {"no difference detected"}
    fp32 = compared["fp32", 1]
    assert fp32.after / fp32.before == pytest.approx(1.4, rel=0.1), "in seconds"
    assert fp32.value == pytest.approx(0, abs=0.03), "by the reference workload"
    assert " relative to the reference workload (" in fp32.sentence


def test_one_technique_that_became_slower_is_found_on_a_faster_machine() -> None:
    compared = changes(session(seed=1), session(seed=2, drift=0.8, slower={"fp16": 1.1}))
    assert [key for key, change in compared.items() if change.word != "no difference detected"] == [
        ("fp16", 1),
        ("fp16", 64),
    ]
    change = compared["fp16", 64]
    assert change.word == "slower"
    assert change.low is not None
    assert change.high is not None
    assert change.low < 0.1 < change.high
    assert change.sentence.startswith(
        f"latency at batch 64: slower, {change.figure} relative to the reference workload ("
    )


def timed(*relative: float, reference: float = 80e-6) -> Run:
    """Return a run of fp32 whose processes, of one round each, take so many times as long as the reference workload."""

    def of(rounds_s: list[float]) -> Latency:
        numbers = list(range(len(rounds_s)))
        changes = {"rounds": numbers, "processes": numbers, "rounds_s": rounds_s, "estimate_s": rounds_s[0]}
        return latency(1.0).model_copy(update=changes)

    row = FP32.model_copy(update={"latency": {1: of([reference * value for value in relative])}})
    beside = ReferenceLatency(model="mnist/lab1", latency={1: of([reference] * len(relative))})
    return RUN.model_copy(update={"rows": [row], "references": [beside]})


FACTORS = tuple(1 + step / 1000 for step in (-4, -3, -1, 0, 2, 5))


def test_a_change_is_the_shift_between_processes_with_an_exact_p_value() -> None:
    """Six processes in each run, all of one above all of the other: 2 of 924 orders, as few show it either way."""
    [change] = changes(timed(*FACTORS), timed(*(1.2 * value for value in FACTORS), reference=0.1)).values()
    assert change.word == "slower"
    assert change.p_value == pytest.approx(2 / 924)
    assert change.value == pytest.approx(0.2, abs=1e-3)
    assert change.low is not None
    assert change.high is not None
    assert 0.19 < change.low < 0.2 < change.high < 0.21
    assert change.least is not None
    assert BETWEEN_SESSIONS < change.least < BETWEEN_SESSIONS + 0.01


@pytest.mark.parametrize("value", [1 - BETWEEN_SESSIONS + 0.005, 1 + BETWEEN_SESSIONS - 0.005])
def test_a_change_within_what_sessions_differ_by_is_none_however_many_processes_show_it(value: float) -> None:
    many = [factor * (1 + step / 1e5) for factor in FACTORS for step in range(8)]
    [change] = changes(timed(*many), timed(*(value * factor for factor in many))).values()
    assert change.word == "no difference detected"
    assert change.low is not None
    assert change.high is not None
    assert change.high < 0 or change.low > 0, "the interval is of these two runs, whose sessions differ"


def test_equals_are_hardly_ever_told_apart_and_a_tenth_always_is() -> None:
    """40 pairs of sessions, 6 figures each; every second machine is slower by up to a half."""
    pairs = [(session(2 * seed), session(2 * seed + 1, drift=1 + seed % 2 * seed / 80)) for seed in range(40)]
    alone = [change for base, new in pairs for change in changes(base, new).values()]
    assert all(change.word == "no difference detected" for change in alone)
    covered = sum(
        change.low is not None and change.high is not None and change.low <= 0 <= change.high for change in alone
    )
    assert covered >= 0.9 * len(alone)
    slowed = [changes(base, session(9000 + seed, slower={"fp16": 1.1})) for seed, (base, _) in enumerate(pairs)]
    compared = [change["fp16", size] for change in slowed for size in (1, 64)]
    assert sum(change.word == "slower" for change in compared) >= 0.98 * len(compared)


def test_without_a_reference_workload_seconds_are_shown_and_not_compared() -> None:
    base, new = (run.model_copy(update={"references": []}) for run in (session(1), session(2, slower={"fp16": 9.0})))
    change = changes(base, new)["fp16", 1]
    assert (change.word, change.low, change.p_value, change.least) == ("not comparable", None, None, None)
    assert change.value == pytest.approx(8, rel=0.1)
    assert "in seconds, without a reference workload in both runs" in change.sentence
    assert change.advice == NO_REFERENCE
    assert "**Without a reference workload**" in row_by_row.how_it_was_done(base, base)[0]
    assert changes(session(1), new)["fp16", 1].advice == NO_REFERENCE, "one run with a reference is not enough"


@pytest.mark.parametrize(("processes", "comparable"), [(1, False), (4, False), (5, True)])
def test_too_few_processes_cannot_be_compared(processes: int, comparable: bool) -> None:
    change = changes(session(seed=1, processes=processes), session(seed=2, processes=processes))["fp32", 1]
    assert (change.low is not None) == comparable
    if not comparable:
        assert (change.word, change.p_value, change.advice) == ("not comparable", None, MORE_PROCESSES)
        assert change.sentence.endswith("too few")


def test_a_retired_latency_says_to_leave_it_out() -> None:
    few = session(1, processes=4, slower={"fp16": 20.0})
    retired = {size: value.model_copy(update={"retired": True}) for size, value in few.rows[1].speedup.items()}
    rows = [row.model_copy(update={"speedup": retired}) if row.technique == "fp16" else row for row in few.rows]
    compared = changes(few.model_copy(update={"rows": rows}), session(2, processes=4))
    assert (compared["fp16", 1].word, compared["fp16", 1].advice) == ("not comparable", RETIRED)
    assert compared["fp32", 1].advice == MORE_PROCESSES


def test_rounds_that_were_not_kept_are_shown_and_not_compared() -> None:
    """As in a file of pytest-benchmark that was saved without its rounds."""
    run = session(seed=1)
    left = Summary(mean_s=60e-6, std_s=1e-6, median_s=55e-6, rounds=40)
    unkept = (
        run.rows[0]
        .latency[1]
        .model_copy(update={"rounds": [], "rounds_s": [], "processes": [], "summary": left, "estimate_s": 55e-6})
    )
    bare = run.model_copy(update={"rows": [run.rows[0].model_copy(update={"latency": {1: unkept}})]})
    for base, new in ((bare, bare), (run, bare), (bare, run)):
        [change] = changes(base, new).values()
        assert (change.word, change.low, change.p_value) == ("not comparable", None, None)
    assert (change.before, change.after) == (55e-6, run.rows[0].latency[1].estimate_s)


def test_batch_sizes_that_both_have_are_compared() -> None:
    run = session(2)
    one = run.model_copy(update={"settings": run.settings.model_copy(update={"batch_sizes": [1]})})
    rows = [row.model_copy(update={"latency": {1: row.latency[1]}, "speedup": {}}) for row in one.rows]
    assert {size for _, size in changes(session(1), one.model_copy(update={"rows": rows}))} == {1}


def test_a_simulation_has_no_latency_to_compare() -> None:
    run = session(seed=1)
    simulated = run.model_copy(update={"rows": [row.model_copy(update={"simulated": True}) for row in run.rows]})
    assert not changes(simulated, run)


# Accuracy


def answered(correct: int, total: int = 10_000) -> Run:
    return RUN.model_copy(
        update={"rows": [FP32.model_copy(update={"accuracy": Accuracy(correct=correct, total=total)})]}
    )


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (9707, 9707, "the same"),
        (9707, 9697, "no difference detected"),
        (9707, 9507, "worse"),
        (9507, 9707, "better"),
    ],
)
def test_accuracies_are_counts_of_the_same_or_two_shares(before: int, after: int, word: str) -> None:
    assert words(answered(before), answered(after), "accuracy") == [word]


def test_the_sentence_says_what_was_done() -> None:
    [equal] = changes(answered(9707), answered(9707), "accuracy").values()
    assert equal.sentence == "accuracy: the same counts, 9,707 of 10,000 right"
    [worse] = changes(answered(9707), answered(9507), "accuracy").values()
    assert worse.sentence == (
        "accuracy: worse, -2.00 points [-2.54, -1.46], 9,707 of 10,000 right and 9,507 of 10,000, "
        "as two independent samples, p < 0.0001"
    )


def judged(*right: int) -> Run:
    """A run that has so many of each hundred examples right, the first ones."""
    bits = np.concatenate([np.arange(100) < count for count in right])
    row = FP32.model_copy(
        update={
            "accuracy": Accuracy(correct=int(bits.sum()), total=len(bits)),
            "right": np.packbits(bits).tobytes(),
        }
    )
    return RUN.model_copy(update={"rows": [row]})


def test_answers_that_are_known_are_compared_one_by_one() -> None:
    base = judged(*[90] * 10)
    [equal] = changes(base, base, "accuracy").values()
    assert equal.word == "the same"
    assert "the same answers" in equal.sentence
    [worse] = changes(base, judged(*[90] * 9, 75), "accuracy").values()
    assert worse.word == "worse", "as two independent samples they would be no difference"
    assert (worse.value, worse.low, worse.high) == pytest.approx((-0.0150, -0.0246, -0.0091), abs=5e-5)
    assert "15 lost and 0 gained" in worse.sentence
    assert worse.p_value == pytest.approx(2 / 2**15)
    [traded] = changes(base, judged(*[90] * 8, 95, 85), "accuracy").values()
    assert (traded.word, traded.value) == ("no difference detected", 0.0)
    assert "5 lost and 5 gained" in traded.sentence


def test_the_least_loss_that_is_told_is_one_of_answers_that_changed() -> None:
    base = judged(*[90] * 10)
    [none_gained] = changes(base, base, "accuracy").values()
    assert none_gained.least == 6 / 1000, "2 / 2**6 is the first below a twentieth"
    [five_gained] = changes(base, judged(*[90] * 9, 95), "accuracy").values()
    assert five_gained.least is not None
    lost = round(1000 * five_gained.least) + 5
    assert proportions.mcnemar(lost, 5) <= ACCURACY_ALPHA < proportions.mcnemar(lost - 1, 5)


def test_shares_of_unknown_numbers_are_shown_without_a_verdict() -> None:
    def shared(share: float) -> Run:
        return RUN.model_copy(
            update={"rows": [FP32.model_copy(update={"accuracy": None, "accuracy_share": share})]},
        )

    [fell] = changes(shared(0.97), shared(0.5), "accuracy").values()
    assert (fell.word, fell.low, fell.p_value, fell.least) == ("not comparable", None, None, None)
    assert fell.sentence == "accuracy: -47.00 points, 97.00 % and 50.00 % of an unknown number of examples"
    [equal] = changes(shared(0.97), shared(0.97), "accuracy").values()
    assert (equal.word, equal.value) == ("the same", 0.0)
    [mixed] = changes(answered(9707), shared(0.5), "accuracy").values()
    assert mixed.word == "not comparable"
    assert mixed.value == pytest.approx(-0.4707)


# What would be told


def test_the_least_growth_is_where_the_word_changes() -> None:
    base = timed(*FACTORS, *(0.9999 * factor for factor in FACTORS))
    [same] = changes(base, base).values()
    assert same.least is not None
    relative = [second / 80e-6 for second in base.rows[0].latency[1].rounds_s]

    def word(growth: float) -> str:
        return words(base, timed(*((1 + growth) * value for value in relative)))[0]

    assert (word(0.99 * same.least), word(1.01 * same.least)) == ("no difference detected", "slower")


def test_the_least_growth_is_less_beside_others_that_were_called() -> None:
    base = session(seed=1)
    alone = changes(base, session(2))["fp16", 1].least
    beside = changes(base, session(2, slower={"fp32": 2.0}))["fp16", 1].least
    assert alone is not None
    assert beside is not None
    assert beside < alone, "Holm holds it against fewer"


def test_a_verdict_takes_a_p_value_up_to_the_level() -> None:
    assert LATENCY_ALPHA == 0.005
    [change] = changes(timed(*FACTORS[:5]), timed(*(2 * value for value in FACTORS[:5]))).values()
    assert change.p_value == pytest.approx(2 / 252), "five processes show no more"
    assert change.word == "no difference detected"


def test_the_least_loss_is_where_the_word_changes() -> None:
    [same] = changes(answered(9707), answered(9707), "accuracy").values()
    assert same.least is not None
    lost = round(10_000 * same.least)
    assert words(answered(9707), answered(9707 - lost), "accuracy") == ["worse"]
    assert words(answered(9707), answered(9707 - lost + 1), "accuracy") == ["no difference detected"]


# Sizes


def sized(**sizes: int | None) -> Run:
    return RUN.model_copy(update={"rows": [FP32.model_copy(update=sizes)]})


@pytest.mark.parametrize(
    ("field", "quantity", "before", "after", "word"),
    [
        ("size_bytes", "size", 1000, 1000, "the same"),
        ("size_bytes", "size", 1000, 1001, "larger"),
        ("packed_bytes", "packed", 1000, 500, "smaller"),
        ("params", "params", 10, 20, "larger"),
        ("peak_memory_bytes", "memory", 1000, 1049, "no difference detected"),
        ("peak_memory_bytes", "memory", 1000, 1100, "larger"),
    ],
)
def test_sizes_are_exact_and_memory_nearly(field: str, quantity: str, before: int, after: int, word: str) -> None:
    [change] = changes(sized(**{field: before}), sized(**{field: after}), quantity).values()
    assert (change.word, change.before, change.after) == (word, before, after)


def test_a_size_is_said_in_its_unit_with_its_growth() -> None:
    [bytes_] = changes(sized(size_bytes=1000), sized(size_bytes=1001), "size").values()
    assert bytes_.sentence == "size: larger, 1,000 and 1,001 bytes, +0.10 %"
    [parameters] = changes(sized(params=10), sized(params=20), "params").values()
    assert parameters.sentence == "params: larger, 10 and 20 parameters, +100.00 %"


def test_what_was_not_measured_is_no_change() -> None:
    assert not changes(sized(packed_bytes=None), sized(), "packed")


# Rows on one side


def missing(base: Sequence[Row], new: Sequence[Row]) -> list[tuple[str, bool, str]]:
    runs = [RUN.model_copy(update={"rows": list(rows)}) for rows in (base, new)]
    return [(str(change.variant), change.lost, change.sentence) for change in row_by_row.missing(*runs)]


def test_a_model_that_vanished_is_named() -> None:
    other = FP32.model_copy(update={"model": "lab2"})
    assert missing([FP32, other], [other]) == [("fp32", True, "the new run has no such model")]


def test_a_row_of_one_side_is_named() -> None:
    assert missing([FP32, QINT8], [FP32]) == [("dynamic-qint8", True, "the new run has no such row")]
    assert missing([FP32], [FP32, QINT8]) == [("dynamic-qint8", False, "the base has no such row")]


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ({"packed_bytes": None}, "the new run has no packed size"),
        ({"latency": {1: FP32.latency[1]}}, "the new run has no latency at batch 64"),
        ({"accuracy": None}, "the new run has no accuracy"),
        ({"peak_memory_bytes": None}, "the new run has no peak memory"),
    ],
)
def test_a_figure_that_vanished_is_named(lost: dict[str, object], sentence: str) -> None:
    less = FP32.model_copy(update=lost)
    assert missing([FP32, QINT8], [less, QINT8]) == [("fp32", True, sentence)]
    assert missing([less], [FP32]) == [], "a new figure is welcome"


def test_a_latency_that_is_simulated_now_vanished() -> None:
    simulated = FP32.model_copy(update={"simulated": True})
    assert [sentence for _, _, sentence in missing([FP32], [simulated])] == [
        "the new run has no latency at batch 1",
        "the new run has no latency at batch 64",
    ]


def test_a_row_that_fails_now_is_missing_with_its_reason() -> None:
    broken = QINT8.model_copy(update={"status": "failed", "reason": "the process died of SIGSEGV"})
    assert missing([QINT8], [broken]) == [
        ("dynamic-qint8", True, "in the new run it is failed: the process died of SIGSEGV")
    ]
    assert missing([broken], [broken]) == []
