"""What of a machine decides whether figures compare, and whether they may stand in one run."""

from __future__ import annotations

import pytest

from bench.results.machine import obstacles_to_one_run, same_hardware
from tests.bench.examples import MACHINE


@pytest.mark.parametrize(
    "change",
    [{"memory_bytes": 16 * 2**30 - 4096}, {"os": "Linux 6.8.0-49"}, {"python": "3.12.9"}, {"quantized_engine": "x86"}],
)
def test_what_decides_no_figure_may_differ(change: dict[str, object]) -> None:
    assert obstacles_to_one_run(MACHINE, MACHINE.model_copy(update=change)) == []


@pytest.mark.parametrize(
    ("change", "words", "other_hardware"),
    [
        ({"cpu": "Other"}, "CPU 'Example CPU 3000', now 'Other'", True),
        ({"isa": ["AVX2"]}, "instruction sets", True),
        ({"logical_cores": 2}, "logical cores 4, now 2", True),
        ({"cpu_quota": 1.5}, "CPU quota None, now 1.5", True),
        ({"torch": "2.11.0"}, "torch '2.14.1', now '2.11.0'", False),
        ({"python": "3.13.0"}, "Python '3.12', now '3.13'", False),
        ({"quantized_engines": ["fbgemm"]}, "quantized engines", False),
        ({"os": "Darwin 24.0"}, "system 'Linux', now 'Darwin'", False),
    ],
)
def test_what_decides_is_named(change: dict[str, object], words: str, other_hardware: bool) -> None:
    other = MACHINE.model_copy(update=change)
    [obstacle] = obstacles_to_one_run(MACHINE, other)
    assert words in obstacle
    assert same_hardware(MACHINE, other) is not other_hardware
