"""Each sentence of the discussion, on rows for which it holds and on rows for which it does not."""

from __future__ import annotations

import pytest

import bench
from bench.report.discussion import discuss
from bench.report.markdown import render
from bench.results.run import Accuracy, Layers, Machine, RelativeLatency, Row, Run
from tests.bench.examples import (
    AMP,
    DATA,
    FP16,
    FP32,
    MACHINE,
    QINT8,
    RUN,
    STATIC,
    TRAINING,
    agreement,
    latency,
    speedup,
)
from tests.repository import ROOT

LAB = ROOT / "reports/lab/run.json"
SLOW_CALL = {1: latency(2e-3), 64: latency(60e-3)}
"""Of a model that is not small."""
SAME = speedup(1.0, 0.01, p_value=0.9)
STATIC_OK = QINT8.model_copy(update={"technique": "static-qint8", "scheme": "S"})


def part(title: str, *rows: Row, machine: Machine = MACHINE, **settings: object) -> list[str]:
    """Return the sentences of one part for a run of ``rows``; none where the part is left out."""
    run = RUN.model_copy(
        update={"rows": list(rows), "machine": machine, "settings": RUN.settings.model_copy(update=settings)}
    )
    return dict(discuss(run)).get(title, [])


def with_speedups(row: Row, one: float, sixty_four: float, margin: float = 0.02, p_value: float = 1e-9) -> Row:
    return row.model_copy(
        update={"speedup": {1: speedup(one, margin, p_value), 64: speedup(sixty_four, margin, p_value)}}
    )


# What got smaller


def test_the_smallest_of_a_model_is_named_with_both_sizes() -> None:
    assert part("What got smaller", FP32, FP16, QINT8) == [
        (
            "`mnist/lab1` `dynamic-qint8` is the smallest of its model: 0.409 MB packed, 3.98× "
            "smaller than fp32's 1.629 MB."
        )
    ]


def test_what_changed_layers_and_is_hardly_smaller_says_so() -> None:
    row = QINT8.model_copy(update={"packed_bytes": 1_600_000, "layers": Layers(changed=1, total=10)})
    assert part("What got smaller", FP32, row) == [
        "`mnist/lab1` `dynamic-qint8` is hardly smaller, 1.02×: it changed 1 of 10 layers."
    ]


@pytest.mark.parametrize(
    ("packed_bytes", "words"),
    [(1_628_000, "as large as fp32"), (1_700_000, "larger than fp32, 1.04×")],
)
def test_what_is_no_smaller_is_not_called_so(packed_bytes: int, words: str) -> None:
    row = QINT8.model_copy(update={"packed_bytes": packed_bytes})
    assert part("What got smaller", FP32, row) == [
        f"`mnist/lab1` `dynamic-qint8` is {words}: it changed 2 of 2 layers."
    ]


def test_nothing_is_smaller_than_what_was_not_measured() -> None:
    assert part("What got smaller", QINT8) == []
    assert part("What got smaller", FP32, STATIC, AMP) == []


# Where int8 is slower


def test_a_small_model_is_a_likely_cause_and_the_larger_batch_its_evidence() -> None:
    assert part("Where int8 is slower than fp32", FP32, QINT8) == [
        (
            "`mnist/lab1` `dynamic-qint8` is slower at batch 1, 0.96× [0.95, 0.97]. Likely: the "
            "model is small, 50.0 µs a call "
            "in fp32, so that dispatch and conversions take a large part of it. At batch 64 it "
            "is faster, 3.00× [2.90, 3.10]."
        )
    ]


def test_layers_that_dynamic_quantization_leaves_are_a_likely_cause() -> None:
    row = with_speedups(QINT8, 0.94, 0.99).model_copy(update={"layers": Layers(changed=1, total=10)})
    sentence, *_ = part("Where int8 is slower than fp32", FP32.model_copy(update={"latency": SLOW_CALL}), row)
    assert "Likely: dynamic quantization changed 1 of 10 layers and leaves convolutions in float32" in sentence
    assert "small" not in sentence
    assert "VNNI" not in sentence


@pytest.mark.parametrize(
    ("isa", "architecture", "device", "named"),
    [
        (["AVX2"], "x86_64", "cpu", True),
        (["AVX2", "AVX-VNNI"], "x86_64", "cpu", False),
        (["AVX2", "AMX-INT8"], "AMD64", "cpu", False),
        (["NEON"], "aarch64", "cpu", False),
        (["AVX2"], "x86_64", "cuda", False),
    ],
)
def test_a_cpu_without_vnni_is_a_likely_cause(isa: list[str], architecture: str, device: str, named: bool) -> None:
    machine = MACHINE.model_copy(update={"isa": isa, "architecture": architecture})
    sentences = part("Where int8 is slower than fp32", FP32, QINT8, machine=machine, device=device)
    assert any("this CPU has no VNNI" in sentence for sentence in sentences) == named


def test_a_cause_that_the_figures_do_not_name_is_not_named() -> None:
    fp32 = FP32.model_copy(update={"latency": SLOW_CALL})
    [sentence] = part("Where int8 is slower than fp32", fp32, with_speedups(STATIC_OK, 0.9, 1.0, p_value=1e-9))[:1]
    assert sentence.endswith("0.90× [0.88, 0.92]. The figures name no cause.")


def test_where_int8_is_slower_nowhere_the_least_speed_up_is_named() -> None:
    [sentence] = part("Where int8 is slower than fp32", FP32, with_speedups(QINT8, 1.5, 3.0))
    assert sentence == (
        "Nowhere beyond doubt (p < 0.001): of 2 comparisons 2 read faster and 0 no difference detected; the "
        "least speed-up is that of "
        "`mnist/lab1` `dynamic-qint8` at batch 1, 1.50× [1.48, 1.52]."
    )


def test_a_slow_down_that_the_verdict_does_not_see_is_not_called_one() -> None:
    [sentence] = part("Where int8 is slower than fp32", FP32, with_speedups(QINT8, 0.97, 3.0, p_value=0.02))
    assert sentence.startswith("Nowhere beyond doubt")


def test_simulated_rows_get_no_sentence_on_latency() -> None:
    simulated = QINT8.model_copy(update={"simulated": True})
    for title in ("Where int8 is slower than fp32", "Where smaller is slower otherwise", "Small and large batches"):
        assert part(title, FP32, simulated) == []
    assert part("Dynamic against static", FP32, simulated, STATIC_OK) == []


def test_float16_without_its_arithmetic_is_slower_for_that() -> None:
    rows = [FP32.model_copy(update={"latency": SLOW_CALL}), with_speedups(FP16, 0.3, 0.12)]
    assert part("Where smaller is slower otherwise", *rows) == [
        (
            "`fp16` is slower than fp32 in 2 of 2 comparisons, most on `mnist/lab1` at batch "
            "64: 0.12× [0.10, 0.14]. Likely: "
            "this CPU has no float16 arithmetic, so that each operation converts to float32 and back."
        )
    ]
    with_it = MACHINE.model_copy(update={"isa": ["AVX512-FP16"]})
    assert "arithmetic" not in part("Where smaller is slower otherwise", *rows, machine=with_it)[0]


# Dynamic against static


def test_static_is_ahead_where_a_test_tells_them_apart() -> None:
    static = with_speedups(STATIC_OK, 0.97, 3.5).model_copy(update={"layers": Layers(changed=3, total=3)})
    assert part("Dynamic against static", FP32, QINT8, static) == [
        (
            "`mnist/lab1` `static-qint8` is ahead of `dynamic-qint8`: 3.50× [3.48, 3.52] "
            "against 3.00× [2.90, 3.10] at batch "
            "64; it changed 3 of 3 layers, the other 2."
        ),
        "Neither is called ahead where that might be chance (p ≥ 0.001): `mnist/lab1` at batch 1.",
    ]


def test_intervals_that_are_apart_may_still_be_chance() -> None:
    """1.06 [1.01, 1.11] and 0.99 [0.985, 0.995]: a difference of 7 % with a standard error of some 2 %."""
    dynamic = QINT8.model_copy(update={"speedup": {64: speedup(1.06, 0.05, 1e-2)}})
    static = STATIC_OK.model_copy(update={"speedup": {64: speedup(0.99, 0.005, 1e-2)}})
    assert part("Dynamic against static", FP32, dynamic, static) == [
        "Neither is called ahead where that might be chance (p ≥ 0.001): `mnist/lab1` at batch 64."
    ]


def test_the_reference_tells_them_apart_where_both_were_held_against_it() -> None:
    """Over fp32 little is known; 1.2 ± 1 % and 1.0 ± 1 % of the reference workload are 13 standard errors apart."""
    dynamic = QINT8.model_copy(update={"speedup": {64: speedup(1.0, 0.3, 0.9)}})
    static = STATIC_OK.model_copy(update={"speedup": {64: speedup(1.2, 0.3, 0.2)}})
    assert part("Dynamic against static", FP32, dynamic, static)[0].startswith("Neither")
    paced = [
        row.model_copy(update={"relative_latency": {64: RelativeLatency(value=value, error=0.01, freedom=10.0, n=10)}})
        for row, value in ((dynamic, 1.2), (static, 1.0))
    ]
    assert part("Dynamic against static", FP32, *paced)[0].startswith("`mnist/lab1` `static-qint8` is ahead")


def test_they_are_held_against_each_other_by_fp32s_answers_too() -> None:
    static = STATIC_OK.model_copy(update={"agreement": agreement(same=9_700, lost=150, gained=100)})
    assert "`mnist/lab1` `dynamic-qint8` answers 99.81 % of the examples as fp32 does, `static-qint8` 97.00 %." in part(
        "Dynamic against static", FP32, QINT8, static
    )
    near = STATIC_OK.model_copy(update={"agreement": agreement(same=9_960, lost=30, gained=10)})  # p = 0.005
    assert not any("answers" in sentence for sentence in part("Dynamic against static", FP32, QINT8, near))


def test_one_of_the_two_alone_is_held_against_nothing() -> None:
    assert part("Dynamic against static", FP32, QINT8, STATIC) == []


# Small and large batches


def test_batch_sizes_are_held_against_each_other() -> None:
    first, second = part("Small and large batches", FP32, QINT8)
    assert first == (
        "`dynamic-qint8` is worth more at batch 64 than at batch 1 on 1 of 1 model, `mnist/lab1`: "
        "3.00× [2.90, 3.10] and 0.96× [0.95, 0.97]."
    )
    # 200 µs / 64 examples
    assert second.endswith("`mnist/lab1` `dynamic-qint8` takes 52.0 µs an example at batch 1 and 3.13 µs at batch 64.")


def test_at_batch_1_small_weights_are_soon_read() -> None:
    whole = FP32.model_copy(update={"packed_bytes": 6_000_000})
    row = with_speedups(QINT8, 8.0, 4.5).model_copy(update={"packed_bytes": 1_500_000})
    [sentence] = part("Small and large batches", whole, row)
    assert "is worth less at batch 64 than at batch 1" in sentence
    assert sentence.endswith("mostly the reading of them, here 1.500 MB in the place of 6.000.")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"packed_bytes": 2_000_000}, "so few stay in the cache"),
        ({"packed_bytes": 6_000_000, "macs": 60 * 407_050}, "a convolution uses each many times"),
        ({"packed_bytes": 6_000_000, "macs": None}, "who knows how often each is used"),
    ],
)
def test_reading_is_no_cause_where_it_is_not_most_of_a_call(changes: dict[str, object], why: str) -> None:
    [sentence] = part("Small and large batches", FP32.model_copy(update=changes), with_speedups(QINT8, 8.0, 4.5))
    assert "Likely" not in sentence, why


def test_one_batch_size_is_held_against_nothing() -> None:
    assert part("Small and large batches", FP32, QINT8, batch_sizes=[1]) == []


@pytest.mark.parametrize("many", [1.52, 1.55])
def test_what_might_be_chance_is_no_difference(many: float) -> None:
    """The intervals of 1.50 ± 0.02 and 1.55 ± 0.02 are apart, and p is 0.005."""
    assert part("Small and large batches", FP32, with_speedups(QINT8, 1.50, many)) == []


# Accuracies


def test_a_test_set_says_what_an_answer_is_worth() -> None:
    # sqrt(0.9707 · 0.0293 / 10,000) = 0.169 points
    assert part("What the accuracies are worth", FP32, QINT8) == [
        (
            "MNIST has 10,000 test examples: an answer is 0.01 points, and the 97.07 % of "
            "`mnist/lab1` `fp32` have a standard "
            "error of 0.17 points."
        ),
        (
            "The largest difference cannot be told from none: `mnist/lab1` `dynamic-qint8`: "
            "−0.01 points on 10,000 examples "
            "are 1 answer (9 lost, 8 gained; McNemar's p = 1)."
        ),
    ]


def test_a_worse_accuracy_is_called_so() -> None:
    assert any(
        sentence.startswith("`mnist/lab1` `amp` is worse than fp32: −0.57 points on 10,000 examples are 57 answers")
        for sentence in part("What the accuracies are worth", FP32, QINT8, AMP)
    )


def test_a_small_p_value_that_the_verdict_does_not_accept_is_a_hint() -> None:
    hint = QINT8.model_copy(update={"agreement": agreement(same=9_950, lost=35, gained=15)})
    sentences = part("What the accuracies are worth", FP32, hint)
    assert sentences[1].startswith("A hint and no more, by the measure of the verdicts: `mnist/lab1` `dynamic-qint8`")


def test_many_losses_are_summed_up() -> None:
    losses = [
        QINT8.model_copy(
            update={"technique": f"dorefa:w{bits}", "agreement": agreement(same=9_000, lost=300 + bits, gained=10)}
        )
        for bits in range(1, 8)
    ]
    sentences = part("What the accuracies are worth", FP32, *losses)
    assert sum("is worse than fp32" in sentence for sentence in sentences) == 4
    assert (
        "3 further rows are worse than fp32, by less: `mnist/lab1` `dorefa:w3` (−2.93 points) to "
        "`mnist/lab1` `dorefa:w1` (−2.91 points)." in sentences
    )


def test_a_single_further_loss_is_named_and_gains_are_no_losses() -> None:
    def changed(technique: str, lost: int, gained: int) -> Row:
        return QINT8.model_copy(update={"technique": technique, "agreement": agreement(9_000, lost, gained)})

    named = [changed(f"dorefa:w{bits}", 300 + bits, 10) for bits in range(1, 5)]
    rows = [*named, changed("pact:w4a4", 200, 10), changed("pact:w8a8", 10, 100)]
    sentences = part("What the accuracies are worth", FP32, *rows)
    assert "1 further row is worse than fp32, by less: `mnist/lab1` `pact:w4a4` (−1.90 points)." in sentences
    assert "1 further row is better than fp32, by less: `mnist/lab1` `pact:w8a8` (+0.90 points)." in sentences


@pytest.mark.parametrize(
    ("precisions", "own"),
    [
        (["float32", "bfloat16"], True),
        (["bfloat16"], False),
    ],
)
def test_amp_has_a_training_of_its_own_where_fp32_was_not_trained_under_autocast(
    precisions: list[str], own: bool
) -> None:
    trainings = [TRAINING.model_copy(update={"precision": precision}) for precision in precisions]
    run = RUN.model_copy(update={"trainings": trainings})
    sentences = dict(discuss(run))["What the accuracies are worth"]
    assert any("`amp`" in sentence and "a training of its own" in sentence for sentence in sentences) == own
    shared = "`mnist/lab1` was trained once, under bfloat16 autocast: fp32 has the same weights"
    assert (shared in render([run])) != own


def test_what_took_part_in_a_training_has_its_own() -> None:
    row = QINT8.model_copy(update={"technique": "dorefa:w1a1", "scheme": "QAT", "agreement": agreement(9_000, 300, 10)})
    trainings = [TRAINING, TRAINING.model_copy(update={"technique": "dorefa:w1a1"})]
    for known, own in ((trainings, True), (trainings[:1], False)):
        run = RUN.model_copy(update={"rows": [FP32, row], "trainings": known})
        [sentence] = dict(discuss(run))["What the accuracies are worth"][1:]
        assert ("a training of its own" in sentence) == own


def test_equal_answers_are_named() -> None:
    assert part("What the accuracies are worth", FP32, FP16)[-1] == (
        "Every example is answered as by fp32: `mnist/lab1` `fp16`."
    )


def test_synthetic_data_are_named() -> None:
    run = RUN.model_copy(update={"data": [DATA.model_copy(update={"kind": "synthetic"})]})
    parts = dict(discuss(run))
    assert parts["On which data"] == [
        "MNIST is a **synthetic** stand-in here: its accuracies say nothing about the real set."
    ]
    assert parts["What the accuracies are worth"][0].startswith("MNIST (synthetic) has 10,000")


# The open question


def test_a_hint_in_accuracy_asks_for_other_trainings() -> None:
    hint = QINT8.model_copy(update={"agreement": agreement(same=9_950, lost=35, gained=15)})
    [question] = part("An open question", FP32, FP16, hint)
    assert question.startswith(
        "Does `mnist/lab1` `dynamic-qint8` change the accuracy? −0.20 points with McNemar's p = "
    )
    # The sign test of 11 equal signs is the first below 0.001: 2 / 2¹¹ = 0.00098.
    assert "`bench run --model mnist/lab1 --technique dynamic-qint8` with 11 other seeds" in question


def test_weights_of_ones_own_have_no_other_training() -> None:
    hint = QINT8.model_copy(update={"agreement": agreement(same=9_950, lost=35, gained=15)})
    [question] = part("An open question", FP32, hint, inputs="net.py:inputs")
    assert "More test examples would tell" in question
    assert "--seed" not in question


def test_a_vague_speed_up_asks_for_more_rounds() -> None:
    [question] = part("An open question", FP32, FP16, QINT8)
    assert question.startswith("Is `mnist/lab1` `fp16` faster or slower at batch 64? 1.04× [0.89, 1.19]")
    # 10 rounds of 100 calls, 6 blocks repeated, a warm-up block: fp16 577 µs · 10 + 1154 µs · 6, fp32 600 µs · 10,
    # four times of which are 7.5 s with the warm-up; twice that leaves room.
    assert question.endswith(
        "`bench run --model mnist/lab1 --technique fp16 --batch 64 --precision 0.072 --budget 16`."
    )


def test_a_slow_down_at_small_batches_asks_where_it_ends() -> None:
    [question] = part("An open question", FP32, QINT8, threads=2)
    assert question.startswith("From which batch size on does `mnist/lab1` `dynamic-qint8` pay?")
    assert "--batch 1 --batch 2 --batch 4 --batch 8 --batch 16 --batch 32 --batch 64 --threads 2`" in question


def test_else_the_largest_difference_asks_for_another_seed() -> None:
    row = QINT8.model_copy(update={"speedup": {1: SAME, 64: SAME}})
    [question] = part("An open question", FP32, row)
    assert question.startswith("Is the difference of `mnist/lab1` `dynamic-qint8`, −0.01 points, the technique's")
    assert "--seed 1`" in question


def test_without_figures_there_is_no_discussion() -> None:
    assert discuss(RUN.model_copy(update={"rows": []})) == []
    assert discuss(RUN.model_copy(update={"rows": [STATIC]})) == []
    assert discuss(RUN.model_copy(update={"rows": [], "data": []})) == []


def test_a_run_without_fp32_says_nothing_of_speed() -> None:
    row = QINT8.model_copy(update={"speedup": {}, "agreement": None, "accuracy": Accuracy(correct=1, total=2)})
    assert discuss(RUN.model_copy(update={"rows": [row]})) == []


def test_every_row_that_the_committed_run_names_is_in_it() -> None:
    run: Run = bench.load_run(LAB)
    models = {f"`{row.task}/{row.model}`" for row in run.rows}
    techniques = {f"`{row.technique}`" for row in run.rows}
    for title, sentences in discuss(run):
        for sentence in sentences:
            assert any(name in sentence for name in models | techniques), (title, sentence)
