"""The best variant under constraints: what is shown decides, and what is not shown is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.comparing.accuracy_loss import default_max_drop
from bench.comparing.recommendation import recommend
from bench.core.errors import RequestError, UnknownNameError
from bench.core.variant_key import BASELINE
from bench.results.recommendation import Constraints, ModelRecommendation, Rejection
from bench.results.row import NOT_FP32, Accuracy, Row
from bench.stats.proportions import paired_difference
from tests.bench.comparing.variants import EXAMPLES, FLOAT, run_of, variant

ORT = variant("static-qint8@onnxruntime", times_faster=3)


def decided(*rows: Row, **constraints: Any) -> ModelRecommendation:
    [model] = recommend(run_of(*rows), Constraints(**constraints)).models
    return model


def best(model: ModelRecommendation) -> str | None:
    return str(model.best.variant) if model.best else None


def reasons(rejections: list[Rejection]) -> dict[str, str]:
    return {str(rejection.variant): rejection.reason for rejection in rejections}


def test_the_fastest_of_those_that_keep_to_the_loss_is_recommended_with_its_gain() -> None:
    model = decided(variant("dynamic-qint8", 2), ORT, variant("bf16", 5, lost=300))
    assert best(model) == "static-qint8@onnxruntime"
    assert model.best is not None
    assert model.best.speedup is not None
    assert model.best.speedup.low < 3 < model.best.speedup.high
    assert model.best.smaller == pytest.approx(4)
    assert model.best.change is not None
    assert (model.best.change.lost, model.best.change.examples) == (0, EXAMPLES)
    assert reasons(model.outside) == {"bf16": "it loses more accuracy than is allowed"}


def test_a_loss_is_within_what_is_allowed_only_if_its_interval_shows_it() -> None:
    # Tango's interval of 40 lost and 10 gained among 10,000 is [−0.45, −0.16] points, of 45 and 10 [−0.51, −0.21].
    assert best(decided(variant("bf16", lost=40, gained=10))) == "bf16"
    assert best(decided(variant("bf16", lost=45, gained=10))) == "fp32"
    assert best(decided(variant("bf16", lost=45, gained=10), max_drop=0.006)) == "bf16"


def test_what_would_tell_a_loss_is_computed() -> None:
    model = decided(variant("bf16", lost=45, gained=10))
    [undecided] = model.undecided
    more = undecided.more_examples
    assert more is not None
    assert undecided.reason == f"its loss cannot be told from what is allowed: {more:,} more test examples"

    def low(total: int) -> float:
        factor = total / EXAMPLES
        return paired_difference(round(45 * factor), round(10 * factor), total).low

    assert low(EXAMPLES + 2 * more) > -0.005 > low(EXAMPLES + more // 2)


def test_a_loss_near_the_limit_that_is_likely_beyond_it_is_told_by_more_examples_too() -> None:
    model = decided(variant("bf16", lost=65, gained=10))
    [undecided] = model.undecided
    assert undecided.more_examples is not None
    exactly = decided(variant("bf16", lost=60, gained=10))
    assert exactly.undecided[0].more_examples is None, "a loss of just what is allowed is never told from it"


@pytest.mark.parametrize(("total", "drop"), [(10_000, 0.005), (2_500, 0.005), (872, 0.01), (200, 0.05), (20, 0.05)])
def test_the_allowed_loss_grows_where_the_test_set_is_too_small_to_show_less(total: int, drop: float) -> None:
    assert default_max_drop(Accuracy(correct=total, total=total), paired=True) == drop


def test_without_pairs_the_allowed_loss_is_what_two_shares_can_show() -> None:
    assert default_max_drop(Accuracy(correct=1_789, total=2_000), paired=False) == 0.02


def test_unpaired_accuracies_are_judged_by_the_wider_interval() -> None:
    row = variant("bf16", lost=10, agreement=None)
    assert best(decided(row, max_drop=0.01)) == "bf16"
    assert best(decided(row, max_drop=0.005)) == "fp32"
    [undecided] = decided(row, max_drop=0.005).undecided
    assert undecided.more_examples is not None
    assert undecided.more_examples > 1_000


def test_an_accuracy_that_nobody_judged_is_no_obstacle_unless_a_limit_is_asked_for() -> None:
    unknown: dict[str, Any] = {"accuracy": None, "agreement": None}
    row = variant("bf16", **unknown, output_error=0.01)
    run = run_of(row).model_copy(update={"rows": [FLOAT.model_copy(update=unknown), row]})
    [model] = recommend(run, Constraints()).models
    assert (best(model), model.max_drop) == ("bf16", None)
    assert model.best is not None
    assert (model.best.change, model.best.output_error) == (None, 0.01)
    [model] = recommend(run, Constraints(max_drop=0.005)).models
    assert best(model) == "fp32"
    assert "--evaluate" in model.undecided[0].reason


def test_a_fraction_of_unknown_examples_shows_nothing() -> None:
    shares: dict[str, Any] = {"accuracy": None, "agreement": None, "accuracy_share": 0.97}
    row = variant("bf16", **shares)
    run = run_of(row).model_copy(update={"rows": [FLOAT.model_copy(update=shares), row]})
    [model] = recommend(run, Constraints()).models
    assert best(model) == "fp32"
    assert "return (correct, total)" in model.undecided[0].reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "failed", "reason": "the process died"}, "failed: the process died"),
        ({"status": "unsupported", "reason": "not here"}, "unsupported: not here"),
        ({"status": "noisy", "reason": "vague", "spread": 0.5}, "noisy: its speed-up at batch 1"),
        ({"status": "noisy", "reason": "vague"}, "noisy: vague"),
        ({"simulated": True}, "simulated"),
        ({"notes": [f"{NOT_FP32}: every example gets the same answer"]}, NOT_FP32),
        ({"output_error": 0.7}, NOT_FP32),
        ({"speedup": {}}, "not comparable"),
    ],
)
@pytest.mark.parametrize("objective", ["latency", "size"])
def test_rows_whose_figures_cannot_be_used_are_never_recommended(
    changes: dict[str, Any], reason: str, objective: str
) -> None:
    model = decided(variant("bf16", 9, file_bytes=1, **changes), objective=objective)
    if "speedup" in changes and objective == "size":
        assert best(model) == "bf16", "its size is known"
        return
    assert best(model) == "fp32"
    assert reason in reasons(model.left_out)["bf16"]


def test_nothing_is_recommended_of_an_emulated_machine() -> None:
    run = run_of(ORT)
    emulated = run.model_copy(update={"machine": run.machine.model_copy(update={"isa_limit": "avx2"})})
    [model] = recommend(emulated, Constraints()).models
    assert best(model) is None
    assert reasons(model.left_out)["fp32"].startswith("emulated: measured with --isa avx2")


def test_noise_at_another_batch_size_does_not_matter() -> None:
    row = variant("bf16", status="noisy", reason="vague at batch 64")
    vague = variant("bf16", spread=0.5).speedup[1]
    assert best(decided(row.model_copy(update={"speedup": {1: row.speedup[1], 64: vague}}))) == "bf16"


def test_fp32_on_eager_gives_way_only_to_what_is_shown_to_be_faster() -> None:
    model = decided(variant("bf16", 1.001, spread=0.05), variant("fp16", 0.5))
    assert best(model) == "fp32"
    assert [str(other.variant) for other in model.runners_up] == ["bf16"]
    assert reasons(model.no_gain) == {"fp16": "it is not shown to be faster"}


def test_where_fp32_is_too_large_the_best_of_the_others_is_recommended_though_slower() -> None:
    model = decided(variant("fp16", 0.5), variant("bf16", 0.4, file_bytes=300_000), max_size_bytes=1_000_000)
    assert best(model) == "fp16"
    assert reasons(model.outside) == {"fp32": "its file is larger than 1.000 MB"}
    assert best(decided(variant("fp16", 0.5), max_size_bytes=399_999)) is None


def test_runners_up_are_what_the_paired_rounds_cannot_tell_from_the_best() -> None:
    close = variant("static-qint8@openvino", 3.001, shift=5)
    model = decided(ORT, close, variant("dynamic-qint8", 2.8))
    assert best(model) == "static-qint8@openvino"
    [other] = model.runners_up
    assert str(other.variant) == "static-qint8@onnxruntime"
    assert other.slower is not None
    assert other.slower[1] <= 1 <= other.slower[2]


def test_sizes_are_exact_and_of_equal_ones_the_faster_is_taken() -> None:
    model = decided(variant("a", 2), variant("b", 3), variant("c", 9, file_bytes=400_001), objective="size")
    assert best(model) == "b"
    assert [str(other.variant) for other in model.runners_up] == ["a"]


def test_memory_is_one_reading_and_a_twentieth_is_no_difference() -> None:
    least = FLOAT.peak_memory_bytes
    assert least is not None
    rows = [variant(name, peak_memory_bytes=round(least * share)) for name, share in (("a", 0.97), ("b", 0.5))]
    assert best(decided(rows[0], objective="memory")) == "fp32"
    assert best(decided(*rows, objective="memory")) == "b"
    assert (
        "memory is not known"
        in reasons(decided(variant("a", peak_memory_bytes=None), objective="memory").left_out)["a"]
    )


def test_a_latency_is_within_a_limit_if_its_interval_is() -> None:
    rows = variant("bf16", 2), variant("fp16", 4)
    model = decided(*rows, max_latency_s=20e-6)
    assert best(model) == "fp16"
    assert reasons(model.outside) == dict.fromkeys(("fp32", "bf16"), "it takes longer than 20.0 µs at batch 1")
    assert "cannot be told from 25.0 µs" in reasons(decided(*rows, max_latency_s=25e-6).undecided)["bf16"]


def test_without_fp32_on_eager_nothing_is_shown() -> None:
    run = run_of().model_copy(update={"rows": [variant("bf16")]})
    [model] = recommend(run, Constraints(objective="size")).models
    assert best(model) is None
    assert "fp32 on eager was not measured" in model.undecided[0].reason


def test_models_and_batch_sizes_that_the_run_does_not_have_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="lab9"):
        recommend(run_of(ORT), Constraints(), ["lab9"])
    with pytest.raises(RequestError, match="--batch 32 was not timed in this run; choose 1 or 64"):
        recommend(run_of(ORT), Constraints(batch_size=32))
    assert len(recommend(run_of(ORT), Constraints(), ["lab1"]).models) == 1
    assert recommend(run_of(ORT, batch_sizes=[8, 64]), Constraints()).models[0].batch_size == 8


variants = st.lists(
    st.builds(
        variant,
        key=st.sampled_from([f"{technique}@{runtime}" for technique in "abc" for runtime in ("eager", "onnxruntime")]),
        times_faster=st.floats(0.3, 5),
        lost=st.integers(0, 200),
        gained=st.integers(0, 100),
        file_bytes=st.integers(100_000, 2_000_000),
        spread=st.floats(0.001, 0.3),
        shift=st.integers(0, 11),
        status=st.sampled_from(["ok", "ok", "ok", "failed", "noisy"]),
        simulated=st.sampled_from([False, False, True]),
    ),
    unique_by=lambda row: row.key,
    max_size=6,
)
limits = st.builds(
    Constraints,
    objective=st.sampled_from(["latency", "size", "memory"]),
    max_drop=st.none() | st.floats(0, 0.02),
    max_size_bytes=st.none() | st.integers(50_000, 2_000_000),
)


@given(variants, limits)
@settings(deadline=None)
def test_what_is_recommended_keeps_to_every_limit_and_every_row_is_accounted_for(
    rows: list[Row], constraints: Constraints
) -> None:
    [model] = recommend(run_of(*rows), constraints).models
    by_key = {row.key: row for row in (FLOAT, *rows)}
    for candidate in [*([model.best] if model.best else []), *model.runners_up]:
        row = by_key[candidate.variant]
        assert (row.status, row.simulated) == ("ok", False) or candidate.variant == BASELINE
        assert constraints.max_size_bytes is None or (row.file_bytes or 0) <= constraints.max_size_bytes
        if candidate.change is not None:
            assert model.max_drop is not None
            assert candidate.change.low > -model.max_drop
    rejected = [*model.undecided, *model.outside, *model.no_gain, *model.left_out]
    candidates = [*model.runners_up, *([model.best] if model.best else [])]
    named = [*(one.variant for one in rejected), *(one.variant for one in candidates)]
    assert len(named) == len(set(named)), "each once"


@given(variants, limits, st.floats(0, 0.02), st.integers(50_000, 2_000_000))
@settings(deadline=None)
def test_a_wider_limit_never_makes_the_best_worse(
    rows: list[Row], constraints: Constraints, max_drop: float, max_size: int
) -> None:
    narrow = constraints.model_copy(update={"max_drop": max_drop, "max_size_bytes": max_size, "objective": "size"})
    wide = narrow.model_copy(update={"max_drop": max_drop + 0.01, "max_size_bytes": 2 * max_size})
    [before], [after] = (recommend(run_of(*rows), limits).models for limits in (narrow, wide))
    if before.best is not None:
        assert after.best is not None
        assert (after.best.file_bytes or 0) <= (before.best.file_bytes or 0)
