"""Every cause of a vague speed-up comes with what would help against it."""

from __future__ import annotations

import pytest

from bench.results.latency import Latency, Speedup
from bench.results.noise import DISTURBED_SHARE, noisy
from tests.bench.examples import FP16, FP32, SETTINGS, latency, speedup

VAGUE = {1: speedup(1.0, 0.2, p_value=0.6)}
CALM = {1: latency(1e-3)}
LONG = {1: CALM[1].model_copy(update={"rounds": list(range(20)), "rounds_s": [1e-3] * 20})}


def reason(ours: dict[int, Latency], baseline: dict[int, Latency] = CALM) -> str:
    found = noisy(VAGUE, ours, baseline, precision=0.05)
    assert found is not None
    return found


def test_a_precise_speedup_needs_no_advice() -> None:
    assert noisy({1: speedup(2.0, 0.09, 0.0)}, CALM, CALM, precision=0.05) is None
    assert noisy({}, {}, {}, precision=0.05) is None


def test_how_vague_it_stayed_is_said_first() -> None:
    assert reason(CALM).startswith("the speed-up is known to ±20.00 % at batch 1, where ±5.00 % was asked: ")


def test_each_vague_batch_size_is_named_and_no_other() -> None:
    found = noisy(
        {1: speedup(1.0, 0.2, 0.6), 8: speedup(1.0, 0.01, 0.6), 64: speedup(2.0, 0.2, 0.0)},
        {size: latency(1e-3) for size in (1, 8, 64)},
        {size: latency(1e-3) for size in (1, 8, 64)},
        precision=0.05,
    )
    assert found is not None
    assert "is known to ±20.00 % at batch 1 and known to ±10.00 % at batch 64, where" in found


def test_without_an_interval_it_is_unknown() -> None:
    few = Speedup(value=2.0, low=2.0, high=2.0, confidence=0.0, p_value=1.0, n=5)
    assert few.half_width == float("inf")
    found = noisy({1: few}, CALM, CALM, precision=0.05)
    assert found is not None
    assert found.startswith(
        "the speed-up is unknown at batch 1, where ±5.00 % was asked: its rounds differ and are few"
    )


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        ("steal", "the hypervisor gave the cores to others during 33 % of the blocks; an unshared machine would help"),
        ("switch", "other processes took the cores during 33 % of the blocks; end them, or use fewer threads"),
        ("frequency", "the cores' clock changed during 33 % of the blocks; fix it (cpupower frequency-set"),
    ],
)
def test_each_cause_has_its_advice(cause: str, advice: str) -> None:
    # 2 × 10 rounds and 10 repeated blocks make 30.
    assert advice in reason({1: latency(1e-3, repeated=10, causes={cause: 10})})
    assert advice in reason(CALM, baseline={1: latency(1e-3, repeated=10, causes={cause: 10})}), "fp32 counts as well"


def test_the_most_frequent_cause_is_named() -> None:
    assert "other processes" in reason({1: latency(1e-3, repeated=10, causes={"steal": 4, "switch": 9})})


def test_a_cause_of_few_blocks_is_not_blamed() -> None:
    assert DISTURBED_SHARE * 24 > 4
    assert "hypervisor" not in reason({1: latency(1e-3, repeated=4, causes={"steal": 4})})


def test_a_warm_up_that_did_not_settle_is_the_next_suspect() -> None:
    assert "the warm-up did not settle" in reason({1: latency(1e-3, warm=False)})


def test_then_the_rounds_are_too_few_or_the_reason_is_beyond_all_counters() -> None:
    assert "its rounds differ and are few; give a longer --budget" in reason(CALM)
    assert "no counter of this system shows why" in reason(LONG, LONG)


def test_the_examples_noisy_row_says_what_its_figures_say() -> None:
    assert FP16.reason == noisy(FP16.speedup, FP16.latency, FP32.latency, SETTINGS.precision)
