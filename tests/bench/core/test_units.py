from __future__ import annotations

import pytest

from bench.core.units import duration, gibibytes, megabytes, percent, ratio, seconds, short_ratio, short_seconds
from bench.stats.describe import MeanStd
from bench.stats.interval import Interval


@pytest.mark.parametrize(
    ("mean_s", "std_s", "shown"),
    [
        (48.21e-6, 0.52e-6, "48.2 ± 0.5 µs"),
        (2.664e-3, 0.031e-3, "2.66 ± 0.03 ms"),
        (123.4e-6, 12e-6, "123 ± 12 µs"),
        (123.4e-6, 0.04e-6, "123.40 ± 0.04 µs"),
        (0.5, 0.0, "500 ± 0 ms"),
        (1.5, 0.25, "1.50 ± 0.25 s"),
        (25e-9, 1e-9, "25.0 ± 1.0 ns"),
    ],
)
def test_a_duration_has_three_digits_and_a_unit(mean_s: float, std_s: float, shown: str) -> None:
    assert duration(MeanStd(mean_s, std_s, 5)) == shown


def test_a_single_run_shows_no_spread() -> None:
    assert duration(MeanStd(0.002, None, 1)) == "2.00 ms"


def test_megabytes_are_millions_of_bytes() -> None:
    assert megabytes(1_630_429) == "1.630"


@pytest.mark.parametrize(
    ("value_s", "shown"),
    [
        (1e-3, "1 ms"),
        (150e-6, "150 µs"),
        (2.984e-6, "2.98 µs"),
        (0.9999e-3, "1000 µs"),
        (1234.0, "1230 s"),
        (5e-9, "5 ns"),
    ],
)
def test_a_tick_has_no_more_digits_than_it_needs(value_s: float, shown: str) -> None:
    assert short_seconds(value_s) == shown


def test_memory_is_counted_in_powers_of_two() -> None:
    assert gibibytes(24 * 2**30) == "24.0 GiB"


def test_percent() -> None:
    assert percent(0.97065) == "97.06 %"


def test_a_ratio_shows_its_interval() -> None:
    assert ratio(Interval(3.141, 3.0, 3.3, 0.99)) == "3.14× [3.00, 3.30]"


def test_a_small_ratio_shows_two_digits() -> None:
    assert ratio(Interval(0.0523, 0.0511, 0.0534, 0.99)) == "0.052× [0.051, 0.053]"
    assert [short_ratio(value) for value in (3.0, 2.844, 0.0523)] == ["3×", "2.84×", "0.052×"]


def test_a_time_of_which_ratios_are_made_has_more_digits() -> None:
    assert [seconds(value, digits=4) for value in (12.3456e-6, 0.1, 1234.5)] == ["12.35 µs", "100.0 ms", "1234 s"]


def test_a_ratio_of_too_few_processes_shows_no_interval() -> None:
    assert ratio(Interval(3.141, 3.0, 3.3, 0.875)) == "3.14×"
