"""Two runs of one machine: what is told apart, and what noise explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bench.comparing import row_by_row
from bench.results.change import Change
from bench.results.latency import Summary
from bench.results.row import Accuracy, Row
from bench.results.run import Run
from bench.stats import proportions
from bench.stats.describe import quiet_time
from tests.bench.examples import FP32, QINT8, RUN
from tests.bench.sessions import session


def changes(base: Run, new: Run, quantity: str = "latency") -> dict[tuple[str, int | None], Change]:
    """Return the changes of one quantity by technique and batch size."""
    return {
        (str(each.variant), each.batch_size): each
        for each in row_by_row.changes(base, new)
        if each.quantity == quantity
    }


def words(base: Run, new: Run, quantity: str = "latency") -> list[str]:
    return [each.word for each in changes(base, new, quantity).values()]


# Latency


def test_a_machine_that_is_slower_altogether_has_changed_nothing() -> None:
    found = changes(session(seed=1), session(seed=2, drift=1.4))
    assert len(found) == 6
    assert {each.word for each in found.values()} == {"no difference detected"}
    fp32 = found["fp32", 1]
    assert fp32.after / fp32.before == pytest.approx(1.4, rel=0.05), "in seconds"
    assert fp32.value == pytest.approx(0, abs=0.03), "by the reference workload"
    assert " by the reference workload (" in fp32.sentence


def test_one_technique_that_became_slower_is_found_on_a_faster_machine() -> None:
    found = changes(session(seed=1), session(seed=2, drift=0.8, slower={"fp16": 1.1}))
    assert [key for key, each in found.items() if each.word != "no difference detected"] == [("fp16", 1), ("fp16", 64)]
    each = found["fp16", 64]
    assert each.word == "slower"
    assert each.low is not None
    assert each.high is not None
    assert each.low < 0.1 < each.high
    assert each.sentence.startswith(f"latency at batch 64: slower, {each.figure} by the reference workload (")


def test_equals_are_hardly_ever_told_apart_and_a_tenth_always_is() -> None:
    """40 pairs of sessions, 6 figures each; every second machine is slower by up to a half."""
    pairs = [(session(2 * seed), session(2 * seed + 1, drift=1 + seed % 2 * seed / 80)) for seed in range(40)]
    alone = [each for base, new in pairs for each in changes(base, new).values()]
    assert sum(each.word != "no difference detected" for each in alone) <= 1
    assert sum(each.word != "no difference detected" and each.value > 0.05 for each in alone) == 0
    covered = sum(each.low is not None and each.high is not None and each.low <= 0 <= each.high for each in alone)
    assert covered >= 0.95 * len(alone)
    slowed = [changes(base, session(9000 + seed, slower={"fp16": 1.1})) for seed, (base, _) in enumerate(pairs)]
    found = [each["fp16", size] for each in slowed for size in (1, 64)]
    assert sum(each.word == "slower" and each.value > 0.05 for each in found) >= 0.98 * len(found)


def test_without_a_reference_only_a_factor_is_told() -> None:
    def plain(run: Run) -> Run:
        rows = [row.model_copy(update={"relative_latency": {}}) for row in run.rows]
        return run.model_copy(update={"rows": rows, "references": []})

    base = plain(session(seed=1))
    assert set(words(base, plain(session(seed=2, drift=1.5)))) == {"no difference detected"}
    found = changes(base, plain(session(seed=2, slower={"fp16": 2.5})))
    assert found["fp16", 1].word == "slower"
    assert "in seconds, without a reference workload" in found["fp16", 1].sentence
    assert "**Without a reference workload**" in row_by_row.how_it_was_done(base, base)[0]


def test_where_most_blocks_were_disturbed_only_a_factor_is_told_too() -> None:
    new = session(seed=2, slower={"fp16": 1.2}, disturbed=range(21))
    found = changes(session(seed=1), new)["fp16", 1]
    assert found.word == "no difference detected"
    assert "by the reference workload, but most blocks were disturbed" in found.sentence
    assert (
        changes(session(seed=1), session(seed=2, slower={"fp16": 1.2}, disturbed=range(20)))["fp16", 1].word == "slower"
    )


def test_too_few_rounds_cannot_be_compared() -> None:
    found = changes(session(seed=1, rounds=5), session(seed=2))["fp32", 1]
    assert (found.word, found.low, found.p_value) == ("not comparable", None, None)
    assert found.sentence.endswith("5 rounds are too few")


def test_rounds_that_were_not_kept_are_shown_and_not_compared() -> None:
    """As in a file of pytest-benchmark that was saved without its rounds."""
    run = session(seed=1)
    kept = run.rows[0].latency[1]
    left = Summary(mean_s=60e-6, std_s=1e-6, median_s=55e-6, rounds=40)
    unkept = kept.model_copy(update={"rounds": [], "rounds_s": [], "runs_s": [60e-6], "summary": left})
    row = run.rows[0].model_copy(update={"latency": {1: unkept}, "relative_latency": {}})
    bare = run.model_copy(update={"rows": [row]})
    for base, new in ((bare, bare), (run, bare), (bare, run)):
        [found] = changes(base, new).values()
        assert (found.word, found.low, found.p_value) == ("not comparable", None, None)
        assert found.sentence.endswith("0 rounds are too few")
    assert (found.before, found.after) == (55e-6, quiet_time(kept.rounds_s))


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
    assert (equal.word, equal.sentence) == ("the same", "accuracy: the same answers, 900 of 1,000 right")
    [worse] = changes(base, judged(*[90] * 9, 75), "accuracy").values()
    assert worse.sentence == (
        "accuracy: worse, -1.50 points [-2.46, -0.91], 900 of 1,000 right and 885 of 1,000, 15 lost and 0 gained, "
        "p < 0.0001"
    ), "as two independent samples they would be no difference"
    assert worse.p_value == pytest.approx(2 / 2**15)
    [traded] = changes(base, judged(*[90] * 8, 95, 85), "accuracy").values()
    assert (traded.word, traded.value) == ("no difference detected", 0.0)
    assert "5 lost and 5 gained" in traded.sentence


def test_the_least_loss_that_is_told_is_one_of_answers_that_changed() -> None:
    base = judged(*[90] * 10)
    [none_gained] = changes(base, base, "accuracy").values()
    assert none_gained.least == 11 / 1000, "2 / 2**11 is the first below a thousandth"
    [five_gained] = changes(base, judged(*[90] * 9, 95), "accuracy").values()
    assert five_gained.least is not None
    lost = round(1000 * five_gained.least) + 5
    assert proportions.mcnemar(lost, 5) < 0.001 <= proportions.mcnemar(lost - 1, 5)


def test_shares_of_unknown_numbers_are_shown_without_a_verdict() -> None:
    def shared(share: float) -> Run:
        return RUN.model_copy(
            update={"rows": [FP32.model_copy(update={"accuracy": None, "accuracy_share": share})]},
        )

    [fell] = changes(shared(0.97), shared(0.5), "accuracy").values()
    assert (fell.word, fell.low, fell.p_value, fell.least) == ("not comparable", None, None, None)
    assert fell.sentence == "accuracy: -47.00 points, 97.00 % and 50.00 % of an unknown number of examples"
    [equal] = changes(shared(0.97), shared(0.97), "accuracy").values()
    assert (equal.word, equal.sentence) == ("the same", "accuracy: the same 97.00 % of an unknown number of examples")
    [mixed] = changes(answered(9707), shared(0.5), "accuracy").values()
    assert mixed.sentence == "accuracy: -47.07 points, 97.07 % and 50.00 % of an unknown number of examples"


# What would be told


def grown(run: Run, technique: str, factor: float) -> Run:
    """Return the run with the relative_latency of one technique so many times greater."""
    rows = [
        row.model_copy(
            update={
                "relative_latency": {
                    size: relative_latency.model_copy(update={"value": relative_latency.value * factor})
                    for size, relative_latency in row.relative_latency.items()
                }
            }
        )
        if row.technique == technique
        else row
        for row in run.rows
    ]
    return run.model_copy(update={"rows": rows})


def test_the_least_growth_is_where_the_word_changes() -> None:
    base = session(seed=1)
    least = changes(base, base)["fp16", 1].least
    assert least is not None
    assert changes(base, grown(base, "fp16", 1 + 0.99 * least))["fp16", 1].word == "no difference detected"
    assert changes(base, grown(base, "fp16", 1 + 1.01 * least))["fp16", 1].word == "slower"


def test_the_least_growth_is_less_beside_others_that_were_called() -> None:
    base = session(seed=1)
    alone = changes(base, base)["fp16", 1].least
    beside = changes(base, grown(base, "fp32", 2))["fp16", 1].least
    assert alone is not None
    assert beside is not None
    assert beside < alone, "Holm holds it against fewer"


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
    ("field", "quantity", "before", "after", "sentence"),
    [
        ("size_bytes", "size", 1000, 1000, "size: the same, 1,000 bytes"),
        ("size_bytes", "size", 1000, 1001, "size: larger, 1,000 and 1,001 bytes, +0.10 %"),
        ("packed_bytes", "packed", 1000, 500, "packed: smaller, 1,000 and 500 bytes, -50.00 %"),
        ("params", "params", 10, 20, "params: larger, 10 and 20 parameters, +100.00 %"),
        (
            "peak_memory_bytes",
            "memory",
            1000,
            1049,
            "memory: no difference detected, 1,000 and 1,049 bytes, +4.90 %",
        ),
        ("peak_memory_bytes", "memory", 1000, 1100, "memory: larger, 1,000 and 1,100 bytes, +10.00 %"),
    ],
)
def test_sizes_are_exact_and_memory_nearly(field: str, quantity: str, before: int, after: int, sentence: str) -> None:
    [found] = changes(sized(**{field: before}), sized(**{field: after}), quantity).values()
    assert found.sentence == sentence


def test_what_was_not_measured_is_no_change() -> None:
    assert not changes(sized(packed_bytes=None), sized(), "packed")


# Rows on one side


def missing(base: Sequence[Row], new: Sequence[Row]) -> list[tuple[str, bool, str]]:
    runs = [RUN.model_copy(update={"rows": list(rows)}) for rows in (base, new)]
    return [(str(each.variant), each.lost, each.sentence) for each in row_by_row.missing(*runs)]


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
