"""What is said after dynamic and after static quantization: two axes, the surprise, and the experiment it asks for."""

from __future__ import annotations

import pytest

import bench
from bench.report.discussion import findings, sentence
from bench.report.findings.axes import line
from bench.report.findings.finding import Finding
from bench.results.row import Accuracy, Layers, Row
from bench.results.run import Run
from tests.bench.examples import DATA, FP32, MACHINE, QINT8, agreement
from tests.bench.report.discussed import LAB, SLOW_CALL, STATIC_OK, run_of, techniques, with_speedups

DYNAMIC, STATIC = "After dynamic quantization", "After static quantization"
AS_PROMISED = with_speedups(QINT8, 1.5, 3.0)


def after(run: Run, title: str = DYNAMIC) -> list[Finding]:
    return findings(run).get(title, [])


def kinds(run: Run, title: str = DYNAMIC) -> list[str]:
    return [finding.kind for finding in after(run, title)]


def of_model(model: str, *rows: Row) -> list[Row]:
    return [row.model_copy(update={"model": model}) for row in rows]


def answering(row: Row, correct: int, lost: int, gained: int) -> Row:
    same = 10_000 - lost - gained
    return row.model_copy(
        update={"accuracy": Accuracy(correct=correct, total=10_000), "agreement": agreement(same, lost, gained)}
    )


WORSE = answering(AS_PROMISED, 9_400, 400, 93)
"""600 wrong answers where fp32 has 293."""


# Two axes


def test_the_two_axes_of_the_largest_factors_are_developed() -> None:
    [first, second, *_] = after(run_of(FP32, WORSE))
    assert (first.kind, second.kind) == ("accuracy axis", "batch axis")
    assert (first.figures["factor"], second.figures["factor"]) == pytest.approx((600 / 293, 2.0))
    assert (first.figures["position"], second.figures["position"]) == (0, 1)
    run = run_of(FP32, WORSE)
    assert [sentence(run, axis).partition(" axis, the ")[0] for axis in (first, second)] == ["**First", "**Second"]


def test_models_are_ordered_by_their_speed_ups_where_these_differ_most() -> None:
    at_most = with_speedups(QINT8, 3.9, 3.5)
    axis = after(run_of(FP32, at_most, *_other_model(100_000)))[0]
    assert (axis.kind, axis.figures["batch"]) == ("model axis", 1)
    assert [row.model for row in axis.rows] == ["other", "lab1"]
    assert axis.figures["factor"] == pytest.approx(3.9)
    assert axis.figures["by_size"], "the larger file gains more"
    assert not after(run_of(FP32, at_most, *_other_model(9_000_000)))[0].figures["by_size"]


def _other_model(packed_bytes: int) -> list[Row]:
    quarter = with_speedups(QINT8, 1.0, 3.0).model_copy(update={"packed_bytes": packed_bytes // 4})
    return of_model("other", FP32.model_copy(update={"packed_bytes": packed_bytes}), quarter)


def test_a_line_splits_what_a_call_costs_from_what_an_example_costs() -> None:
    # 50 µs and 600 µs: 550 µs for 63 more examples.
    split = line(FP32.latency, 1, 64)
    assert split == pytest.approx((50e-6 - 550e-6 / 63, 550e-6 / 63), rel=1e-3)
    [axis] = [axis for axis in after(run_of(FP32, QINT8)) if axis.kind == "batch axis"]
    assert axis.figures["lines"] == [split, line(QINT8.latency, 1, 64)]
    assert "a batch of 1.3" in sentence(run_of(FP32, QINT8), axis)  # (49.65 − 41.27) / (8.73 − 2.35)


def test_no_line_is_drawn_where_a_call_would_cost_less_than_nothing() -> None:
    assert line({1: FP32.latency[1], 64: SLOW_CALL[64]}, 1, 64) is None
    assert line(FP32.latency, 1, 32) is None


def test_a_file_far_from_a_quarter_says_how_many_layers_were_changed() -> None:
    row = AS_PROMISED.model_copy(update={"packed_bytes": 1_600_000, "layers": Layers(changed=1, total=10)})
    axis = after(run_of(FP32, row))[0]
    assert (axis.kind, axis.figures["times"]) == ("size axis", pytest.approx(1_628_604 / 1_600_000))
    assert "1 of 10 layers" in sentence(run_of(FP32, row), axis)


def test_accuracies_of_a_stand_in_are_no_axis_and_no_surprise() -> None:
    run = run_of(FP32, WORSE).model_copy(update={"data": [DATA.model_copy(update={"kind": "synthetic"})]})
    assert kinds(run) == ["batch axis", "size axis", "nothing surprising", "another runtime"]


# The surprise and its experiment


def test_what_holds_what_it_promises_surprises_nobody() -> None:
    assert kinds(run_of(FP32, AS_PROMISED))[2:] == ["nothing surprising", "another runtime"]


def test_a_slow_down_asks_where_it_ends() -> None:
    *_, slow, experiment = after(run_of(FP32, QINT8))
    assert (slow.kind, slow.figures["batch"]) == ("surprisingly slow", 1)
    assert (experiment.kind, experiment.figures["batches"]) == ("batch sizes between", [1, 2, 4, 8, 16, 32, 64])


def test_a_slow_down_without_an_end_asks_for_another_runtime() -> None:
    run = run_of(FP32, with_speedups(STATIC_OK, 0.9, 0.8))
    *_, slow, experiment = after(run, STATIC)
    assert (slow.kind, slow.figures["batch"]) == ("surprisingly slow", 64)
    assert "--technique static-qint8 --runtime onnxruntime" in sentence(run, experiment)


def test_what_the_run_has_measured_is_not_asked_for() -> None:
    slow = with_speedups(STATIC_OK, 0.9, 0.8)
    elsewhere = [slow.model_copy(update={"runtime": runtime}) for runtime in ("onnxruntime", "inductor")]
    *_, experiment = after(run_of(FP32, slow, elsewhere[0]), STATIC)
    assert (experiment.kind, experiment.figures["runtime"]) == ("another runtime", "inductor")
    *_, experiment = after(run_of(FP32, slow, *elsewhere), STATIC)
    assert experiment.kind == "which layers"


def test_more_than_four_times_as_fast_asks_for_the_cache_where_a_call_reads_the_weights() -> None:
    large = FP32.model_copy(update={"packed_bytes": 6_000_000})
    run = run_of(large, with_speedups(QINT8, 8.0, 3.0).model_copy(update={"packed_bytes": 1_500_000}))
    *_, fast, experiment = after(run)
    assert (fast.kind, techniques(fast)) == ("surprisingly fast", ["dynamic-qint8", "fp32"])
    assert (experiment.kind, experiment.figures["batches"]) == ("weights in the cache", [1, 2, 4, 8, 16, 32, 64])
    assert "120 GB/s" in sentence(run, fast)  # 6 MB in 50 µs
    assert "240 GB/s" in sentence(run, fast)  # 1.5 MB in an eighth of that


def test_more_than_four_times_as_fast_asks_for_another_fp32_where_it_does_not() -> None:
    run = run_of(FP32, with_speedups(QINT8, 1.5, 6.0))
    *_, fast, experiment = after(run)
    assert (fast.kind, fast.figures["batch"]) == ("surprisingly fast", 64)
    assert "--technique fp32 --runtime onnxruntime" in sentence(run, experiment)
    tiles = run.model_copy(update={"machine": MACHINE.model_copy(update={"isa": ["AVX2", "AMX-INT8"]})})
    assert kinds(tiles)[2:] == ["nothing surprising", "another runtime"], (
        "AMX multiplies int8 more than four times as fast"
    )


def test_another_accuracy_asks_which_layers_make_it() -> None:
    run = run_of(FP32, WORSE, threads=2)
    *_, worse, experiment = after(run)
    assert (worse.kind, worse.figures["word"]) == ("surprising accuracy", "worse")
    assert "`bench sensitivity mnist/lab1 --technique dynamic-qint8 --precision 0.05 --threads 2`" in sentence(
        run, experiment
    )
    own = run_of(FP32, WORSE, inputs="example_inputs", evaluate="accuracy")
    assert "`bench.sensitivity(lab1, 'dynamic-qint8', inputs=example_inputs, evaluate=accuracy" in sentence(
        own, experiment
    )


def test_a_collapse_asks_for_a_scale_for_each_output_once() -> None:
    run = run_of(FP32, answering(AS_PROMISED, 980, 8_800, 73))
    *_, worse, experiment = after(run)
    assert (worse.kind, experiment.kind) == ("surprising accuracy", "per-channel weights")
    every = [finding.kind for part in findings(run).values() for finding in part]
    assert every.count("per-channel weights") == 1, "the follow-up is another question"


def test_what_nothing_explains_goes_before_what_its_row_explains() -> None:
    left = with_speedups(QINT8, 0.5, 0.5).model_copy(update={"layers": Layers(changed=1, total=10)})
    run = run_of(FP32, AS_PROMISED, *of_model("convolutions", FP32, left))
    assert after(run)[2].rows[0].model == "convolutions", "alone it is a surprise"
    run = run_of(FP32, QINT8, *of_model("convolutions", FP32, left))
    assert after(run)[2].rows[0].model == "lab1"


# Of which rows


def test_each_scheme_has_its_own_discussion_on_eager_where_it_was_measured_there() -> None:
    elsewhere = with_speedups(QINT8, 1.5, 3.5).model_copy(update={"runtime": "onnxruntime"})
    run = run_of(FP32, elsewhere, AS_PROMISED, with_speedups(STATIC_OK, 2.0, 3.0))
    assert {row.key for finding in after(run) for row in finding.rows} == {AS_PROMISED.key}
    assert {row.key for finding in after(run, STATIC) for row in finding.rows} == {STATIC_OK.key}
    assert {row.key for finding in after(run_of(FP32, elsewhere)) for row in finding.rows} == {elsewhere.key}
    assert after(run_of(FP32, AS_PROMISED), STATIC) == []


def test_the_committed_lab_is_discussed_after_each_of_both() -> None:
    run = bench.load_run(LAB)
    for title in (DYNAMIC, STATIC):
        first, second, observed, asked = after(run, title)
        assert {first.kind, second.kind} <= {"model axis", "batch axis", "size axis", "accuracy axis"}
        assert observed.kind.startswith("surpris")
        assert "**Question:**" in sentence(run, asked)
        assert "**Experiment:**" in sentence(run, asked)
