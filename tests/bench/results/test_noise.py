"""Every cause of a vague speed-up comes with what would help against it."""

from __future__ import annotations

import pytest

from bench.results.latency import Speedup
from bench.results.noise import BLAMED_SHARE, main_cause, noisy
from tests.bench.examples import FP16, SETTINGS, latency, speedup

CALM = latency(1e-3)


def test_a_precise_speedup_is_not_noisy() -> None:
    assert noisy({1: speedup(2.0, 0.09, 0.0)}, precision=0.05) is None
    assert noisy({}, precision=0.05) is None


def test_each_vague_batch_size_is_named_and_no_other() -> None:
    vague = {1: speedup(1.0, 0.2, 0.6), 8: speedup(1.0, 0.01, 0.6), 64: speedup(2.0, 0.2, 0.0)}
    reason = noisy(vague, precision=0.05)
    assert reason == "the speed-up is known to ±20.00 % at batch 1 and ±10.00 % at batch 64, where ±5.00 % was asked"


def test_without_an_interval_it_is_unknown() -> None:
    few = Speedup(value=2.0, low=2.0, high=2.0, confidence=0.0, p_value=1.0, n=5)
    assert few.half_width == float("inf")
    assert "an unknown precision at batch 1" in (noisy({1: few}, precision=0.05) or "")


def test_what_was_retired_is_not_noisy() -> None:
    retired = Speedup(value=0.1, low=0.1, high=0.1, confidence=0.0, p_value=0.25, n=3, retired=True)
    assert noisy({1: retired}, precision=0.05) is None


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        ("steal", "the hypervisor gave the cores to others during 33 % of the blocks; an unshared machine would help"),
        ("switch", "other processes took the cores during 33 % of the blocks; end them, or use fewer threads"),
        ("throttle", "the container's CPU quota was used up during 33 % of the blocks; give it a larger one"),
        ("frequency", "the cores' clock changed during 33 % of the blocks; fix it (cpupower frequency-set"),
    ],
)
def test_each_cause_has_its_advice(cause: str, advice: str) -> None:
    # 2 × 10 rounds and 10 repeated blocks make 30.
    assert advice in main_cause([latency(1e-3, repeated=10, causes={cause: 10}), CALM])


def test_the_most_frequent_cause_is_named() -> None:
    assert "other processes" in main_cause([latency(1e-3, repeated=10, causes={"steal": 4, "switch": 9}), CALM])


def test_a_cause_of_few_blocks_is_not_blamed() -> None:
    assert BLAMED_SHARE * 24 > 4
    assert "hypervisor" not in main_cause([latency(1e-3, repeated=4, causes={"steal": 4}), CALM])


def test_a_warm_up_that_did_not_settle_is_the_next_suspect() -> None:
    assert "the warm-up did not settle" in main_cause([latency(1e-3, warm=False), CALM])


def test_one_process_of_many_is_not_blamed() -> None:
    one_of_ten = CALM.model_copy(update={"cold": 1, "page_faults": [0] * 9 + [9_000]})
    assert "no counter of this system shows why" in main_cause([one_of_ten])


@pytest.mark.parametrize(("faults", "blamed"), [([0, 90], False), ([0, 110], True), ([], False)])
def test_memory_that_is_handed_out_anew_in_each_call_is_a_cause(faults: list[int], blamed: bool) -> None:
    """A hundred page faults are a twentieth of a millisecond, or more."""
    paging = latency(1e-3).model_copy(update={"page_faults": faults})
    said = main_cause([CALM, paging])
    assert ("up to 110 page faults a call); glibc keeps it with MALLOC_" in said) == blamed


def test_else_the_reason_is_beyond_all_counters() -> None:
    assert "no counter of this system shows why" in main_cause([CALM, CALM])
    assert "no counter of this system shows why" in main_cause([])


def test_the_examples_noisy_row_says_what_its_figures_say() -> None:
    assert FP16.reason == noisy(FP16.speedup, SETTINGS.precision)
