"""Which findings rows make, on rows for which they hold and on rows for which they do not; their words are golden."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

import bench
from bench.report.discussion import discuss, findings, sentence
from bench.report.findings.finding import Kind
from bench.report.findings.trainings import shared_with_amp
from bench.results.row import Accuracy, Layers
from bench.results.run import Run
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
)
from tests.bench.report.discussed import (
    EQUALLY_FAST,
    HINT,
    LAB,
    SLOW_CALL,
    STATIC_OK,
    found,
    in_one_process,
    losses,
    run_of,
    techniques,
    with_speedups,
)

GOLDEN = Path(__file__).with_name("golden_discussion.md")


# Sizes


def test_the_smallest_of_a_model_is_named_beside_its_baseline() -> None:
    [smallest] = found(run_of(FP32, FP16, QINT8), "smallest")
    assert techniques(smallest) == ["dynamic-qint8", "fp32"]
    assert smallest.figures["times"] == pytest.approx(1_628_604 / 409_364)


@pytest.mark.parametrize("packed_bytes", [1_600_000, 1_628_000, 1_700_000])
def test_what_changed_layers_and_is_hardly_smaller_says_so(packed_bytes: int) -> None:
    row = QINT8.model_copy(update={"packed_bytes": packed_bytes, "layers": Layers(changed=1, total=10)})
    [hardly] = found(run_of(FP32, row), "smallest", "hardly smaller")
    assert (hardly.kind, techniques(hardly)) == ("hardly smaller", ["dynamic-qint8"])
    assert hardly.figures["times"] == pytest.approx(1_628_604 / packed_bytes)


def test_nothing_is_smaller_than_what_was_not_measured() -> None:
    assert not found(run_of(QINT8), "smallest", "hardly smaller")
    assert not found(run_of(FP32, STATIC, AMP), "smallest", "hardly smaller")


# Where a technique is slower


def test_a_small_model_is_a_likely_cause_and_the_larger_batch_its_evidence() -> None:
    [slower] = found(run_of(FP32, QINT8), "int8 slower")
    assert (techniques(slower), slower.figures["batch"]) == (["dynamic-qint8"], 1)
    assert slower.figures["speedup"] == QINT8.speedup[1]
    assert slower.figures["causes"] == ["small model"]
    assert slower.figures["baseline_s"] == pytest.approx(50e-6, rel=1e-3)
    assert (slower.figures["faster_at"], slower.figures["faster_by"]) == (64, QINT8.speedup[64])


def test_layers_that_dynamic_quantization_leaves_are_a_likely_cause() -> None:
    row = with_speedups(QINT8, 0.94, 0.99).model_copy(update={"layers": Layers(changed=1, total=10)})
    slower, *_ = found(run_of(FP32.model_copy(update={"latency": SLOW_CALL}), row), "int8 slower")
    assert slower.figures["causes"] == ["layers left in float32"]


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
    [slower] = found(run_of(FP32, QINT8, machine=machine, device=device), "int8 slower")
    assert ("no VNNI" in slower.figures["causes"]) == named


def test_a_cause_that_the_figures_do_not_name_is_not_named() -> None:
    fp32 = FP32.model_copy(update={"latency": SLOW_CALL})
    slower, *_ = found(run_of(fp32, with_speedups(STATIC_OK, 0.9, 1.0)), "int8 slower")
    assert slower.figures["causes"] == []
    assert slower.figures["faster_at"] is None


def test_where_int8_is_slower_nowhere_the_least_speed_up_is_named() -> None:
    [nowhere] = found(run_of(FP32, with_speedups(QINT8, 1.5, 3.0)), "int8 slower", "int8 nowhere slower")
    assert (nowhere.kind, techniques(nowhere), nowhere.figures["batch"]) == (
        "int8 nowhere slower",
        ["dynamic-qint8"],
        1,
    )
    assert (nowhere.figures["comparisons"], nowhere.figures["faster"]) == (2, 2)


def test_a_slow_down_that_the_verdict_does_not_see_is_not_called_one() -> None:
    assert not found(run_of(FP32, with_speedups(QINT8, 0.97, 3.0, p_value=0.02)), "int8 slower")


def test_simulated_rows_make_no_finding_on_latency() -> None:
    simulated = QINT8.model_copy(update={"simulated": True})
    kinds = {finding.kind for part in findings(run_of(FP32, simulated, STATIC_OK)).values() for finding in part}
    of_static_alone = {finding.kind for part in findings(run_of(FP32, STATIC_OK)).values() for finding in part}
    assert kinds == of_static_alone


@pytest.mark.parametrize(("isa", "causes"), [(["AVX2"], ["no float16 arithmetic"]), (["AVX512-FP16"], [])])
def test_float16_without_its_arithmetic_is_slower_for_that(isa: list[str], causes: list[str]) -> None:
    rows = [FP32.model_copy(update={"latency": SLOW_CALL}), with_speedups(FP16, 0.3, 0.12)]
    [slower] = found(run_of(*rows, machine=MACHINE.model_copy(update={"isa": isa})), "technique slower")
    assert (slower.figures["slower"], slower.figures["comparisons"], slower.figures["batch"]) == (2, 2, 64)
    assert slower.figures["speedup"].value == 0.12
    assert slower.figures["causes"] == causes


# Dynamic against static


def test_static_is_ahead_where_a_test_tells_them_apart() -> None:
    static = with_speedups(STATIC_OK, 0.97, 3.5)
    static = static.model_copy(update={"latency": {1: QINT8.latency[1], 64: static.latency[64]}})
    ahead, neither = found(run_of(FP32, QINT8, static), "one int8 ahead", "neither int8 ahead")
    assert (techniques(ahead), ahead.figures["batches"]) == (["static-qint8", "dynamic-qint8"], [64])
    assert neither.figures["batches"] == {"mnist/lab1": [1]}


def test_a_process_in_ten_that_reads_otherwise_leaves_it_open() -> None:
    static = with_speedups(STATIC_OK, 0.97, 3.5)
    odd = static.model_copy(update={"latency": {64: in_one_process(static.latency[64], 2.0)}})
    [neither] = found(run_of(FP32, QINT8, odd), "one int8 ahead", "neither int8 ahead")
    assert neither.figures["batches"] == {"mnist/lab1": [64]}


def test_their_own_rounds_tell_them_apart_where_intervals_over_fp32_overlap() -> None:
    dynamic, static = (with_speedups(row, 1.0, at_64, 0.3) for row, at_64 in ((QINT8, 1.0), (STATIC_OK, 1.2)))
    [ahead] = found(run_of(FP32, dynamic, static), "one int8 ahead")
    assert (techniques(ahead), ahead.figures["batches"]) == (["static-qint8", "dynamic-qint8"], [64])


def test_they_are_held_against_each_other_by_fp32s_answers_too() -> None:
    static = STATIC_OK.model_copy(update={"agreement": agreement(same=9_700, lost=150, gained=100)})
    [closer] = found(run_of(FP32, QINT8, static), "closer answers")
    assert (techniques(closer), closer.figures["shares"]) == (["dynamic-qint8", "static-qint8"], (0.9981, 0.97))
    near = STATIC_OK.model_copy(update={"agreement": agreement(same=9_975, lost=15, gained=10)})  # p = 0.4
    assert not found(run_of(FP32, QINT8, near), "closer answers")


def test_one_of_the_two_alone_is_held_against_nothing() -> None:
    assert not found(run_of(FP32, QINT8, STATIC), "one int8 ahead", "neither int8 ahead", "closer answers")


# Small and large batches


def test_batch_sizes_are_held_against_each_other() -> None:
    gains, shared = found(run_of(FP32, QINT8), "gains with the batch", "overhead shared")
    assert techniques(gains)[0] == techniques(shared)[0] == "dynamic-qint8"
    assert (gains.figures["models"], gains.figures["of"], gains.figures["batches"]) == (1, 1, (1, 64))
    assert shared.figures["example_s"] == pytest.approx([52e-6, 200e-6 / 64], rel=1e-3)


def test_at_batch_1_small_weights_are_soon_read() -> None:
    whole = FP32.model_copy(update={"packed_bytes": 6_000_000})
    row = with_speedups(QINT8, 8.0, 4.5).model_copy(update={"packed_bytes": 1_500_000})
    [loses] = found(run_of(whole, row), "loses with the batch")
    assert loses.figures["reading"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"packed_bytes": 2_000_000}, "so few stay in the cache"),
        ({"packed_bytes": 6_000_000, "macs": 60 * 407_050}, "a convolution uses each many times"),
        ({"packed_bytes": 6_000_000, "macs": None}, "who knows how often each is used"),
    ],
)
def test_reading_is_no_cause_where_it_is_not_most_of_a_call(changes: dict[str, object], why: str) -> None:
    run = run_of(FP32.model_copy(update=changes), with_speedups(QINT8, 8.0, 4.5))
    [loses] = found(run, "loses with the batch")
    assert not loses.figures["reading"], why


def test_what_might_be_chance_is_no_difference() -> None:
    row = with_speedups(QINT8, 1.50, 1.52)
    vague = row.model_copy(update={"latency": {1: row.latency[1], 64: latency(600e-6 / 1.52, wobble=0.1)}})
    assert not found(run_of(FP32, vague), "gains with the batch", "loses with the batch")
    one_batch = run_of(FP32, QINT8, batch_sizes=[1])
    assert not found(one_batch, "gains with the batch", "loses with the batch")


# Accuracies


def test_the_largest_difference_is_named_though_it_is_none() -> None:
    scale, undecided = found(run_of(FP32, QINT8), "accuracy scale", "accuracy undecided")
    assert techniques(scale) == ["fp32"]
    assert (techniques(undecided), undecided.figures["others"]) == (["dynamic-qint8"], False)
    assert undecided.figures["points"] == pytest.approx(-0.01)


def test_a_worse_accuracy_is_called_so() -> None:
    [worse] = found(run_of(FP32, QINT8, AMP), "accuracy differs")
    assert (techniques(worse), worse.figures["word"]) == (["amp"], "worse")
    assert worse.figures["points"] == pytest.approx(-0.57)


def test_a_loss_that_is_not_beyond_doubt_is_not_called_indistinguishable_from_none() -> None:
    assert not found(run_of(FP32, FP16, HINT), "accuracy differs", "accuracy undecided")


def test_many_losses_are_summed_up() -> None:
    run = run_of(FP32, *losses(*range(301, 308)))
    assert len(found(run, "accuracy differs")) == 4
    [rest] = found(run, "accuracies differ less")
    assert (rest.figures["word"], rest.figures["count"]) == ("worse", 3)
    assert techniques(rest) == ["dorefa:w3", "dorefa:w1"]
    assert rest.figures["points"] == pytest.approx([-2.93, -2.91])


def test_a_single_further_loss_is_named_and_gains_are_no_losses() -> None:
    *named, loss = losses(301, 302, 303, 304, 200)
    gain = QINT8.model_copy(update={"technique": "pact:w8a8", "agreement": agreement(9_000, 10, 100)})
    worse, better = found(run_of(FP32, *named, loss, gain), "accuracies differ less")
    assert (worse.figures["word"], worse.figures["count"], techniques(worse)) == ("worse", 1, ["dorefa:w5"])
    assert (better.figures["word"], better.figures["count"], techniques(better)) == ("better", 1, ["pact:w8a8"])


@pytest.mark.parametrize(("precisions", "trained"), [(["float32", "bfloat16"], True), (["bfloat16"], False)])
def test_amp_has_a_training_of_its_own_where_fp32_was_not_trained_under_autocast(
    precisions: list[str], trained: bool
) -> None:
    trainings = [TRAINING.model_copy(update={"precision": precision}) for precision in precisions]
    run = RUN.model_copy(update={"trainings": trainings})
    [worse] = found(run, "accuracy differs")
    assert (techniques(worse), worse.figures["own_training"]) == (["amp"], trained)
    assert bool(shared_with_amp(run)) != trained


def test_what_took_part_in_a_training_has_its_own() -> None:
    [row] = losses(300)
    trainings = [TRAINING, TRAINING.model_copy(update={"technique": "dorefa:w1"})]
    for known, trained in ((trainings, True), (trainings[:1], False)):
        run = run_of(FP32, row).model_copy(update={"trainings": known})
        [worse] = found(run, "accuracy differs")
        assert worse.figures["own_training"] == trained


def test_equal_answers_are_named() -> None:
    [alike] = found(run_of(FP32, FP16, QINT8), "answers alike")
    assert techniques(alike) == ["fp16"]


def test_synthetic_data_are_named() -> None:
    run = RUN.model_copy(update={"data": [DATA.model_copy(update={"kind": "synthetic"})]})
    [data] = found(run, "synthetic data")
    assert data.figures == {"title": "MNIST"}
    assert "(synthetic)" in sentence(run, found(run, "accuracy scale")[0])


# All of it

WORDED = [
    run_of(FP32, FP16, QINT8, AMP),
    run_of(FP32, QINT8.model_copy(update={"packed_bytes": 1_600_000, "layers": Layers(changed=1, total=10)})),
    run_of(FP32, QINT8.model_copy(update={"packed_bytes": 1_628_000})),
    run_of(FP32, QINT8.model_copy(update={"packed_bytes": 1_700_000}), machine=MACHINE.model_copy(update={"isa": []})),
    run_of(FP32.model_copy(update={"latency": SLOW_CALL}), with_speedups(FP16, 0.3, 0.12), HINT, threads=2),
    run_of(FP32, FP16, HINT, inputs="net.py:inputs", evaluate="net.py:accuracy").model_copy(
        update={"data": [DATA.model_copy(update={"kind": "own", "title": "net.py"})]}
    ),
    run_of(
        FP32.model_copy(update={"packed_bytes": 6_000_000}),
        with_speedups(QINT8, 8.0, 4.5),
        with_speedups(STATIC_OK, 8.0, 3.0).model_copy(update={"agreement": agreement(9_700, 150, 100)}),
    ),
    run_of(FP32, *losses(*range(301, 308)), EQUALLY_FAST),
    run_of(FP32, QINT8.model_copy(update={"agreement": agreement(1_000, 9_000, 0)})),
    run_of(FP32, with_speedups(QINT8, 1.5, 3.0)),
    run_of(FP32, with_speedups(QINT8, 1.5, 6.0), with_speedups(STATIC_OK, 0.9, 0.8)),
    run_of(
        FP32,
        with_speedups(QINT8, 1.5, 2.5).model_copy(
            update={"accuracy": Accuracy(correct=9_400, total=10_000), "agreement": agreement(9_507, 400, 93)}
        ),
    ),
    run_of(
        FP32,
        with_speedups(STATIC_OK, 0.9, 0.8),
        FP32.model_copy(update={"model": "lab2", "packed_bytes": 6_000_000}),
        with_speedups(STATIC_OK, 8.0, 3.0).model_copy(update={"model": "lab2", "packed_bytes": 1_500_000}),
    ),
    run_of(FP32, EQUALLY_FAST).model_copy(update={"data": [DATA.model_copy(update={"kind": "synthetic"})]}),
]
"""Runs that make every kind of finding."""


def worded() -> str:
    """Return every finding of these runs in words, below its kind."""
    lines: dict[str, dict[str, None]] = {}
    for run in WORDED:
        for part in findings(run).values():
            for finding in part:
                lines.setdefault(finding.kind, {})[f"- {sentence(run, finding)}"] = None
    return "\n\n".join("\n".join([f"{kind}:", *lines[kind]]) for kind in get_args(Kind) if kind in lines) + "\n"


def test_the_words_of_every_kind_are_the_golden_ones() -> None:
    """After an intended change: write ``worded()`` to the golden file and read the difference."""
    text = worded()
    assert text == GOLDEN.read_text(encoding="utf-8")
    assert all(f"{kind}:\n" in text for kind in get_args(Kind)), "every kind is among them"


def test_without_figures_there_is_no_discussion() -> None:
    assert discuss(run_of()) == []
    assert discuss(run_of(STATIC)) == []
    assert discuss(RUN.model_copy(update={"rows": [], "data": []})) == []


def test_a_run_without_fp32_says_nothing_of_speed() -> None:
    row = QINT8.model_copy(update={"speedup": {}, "agreement": None, "accuracy": Accuracy(correct=1, total=2)})
    assert discuss(run_of(row)) == []


def test_every_row_that_the_committed_run_names_is_in_it() -> None:
    run: Run = bench.load_run(LAB)
    for part in findings(run).values():
        for finding in part:
            assert all(row in run.rows for row in finding.rows)
            assert finding.rows or finding.figures
