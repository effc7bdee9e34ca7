"""What is benchmarked, as options; they are known where pytest is given this folder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

OPTIONS = {
    "model": ["mnist/lab1"],
    "technique": ["fp32", "fp16", "dynamic-qint8", "static-qint8"],
    "batch_size": ["1", "64"],
}
"""By parameter of the tests: what is taken by default."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("quantbench")
    for parameter, default in OPTIONS.items():
        group.addoption(
            f"--bench-{parameter.replace('_', '-')}",
            nargs="+",
            metavar="NAME",
            help=f"Of tests/benchmarks/test_latency.py. Default: {' '.join(default)}",
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for parameter, default in OPTIONS.items():
        if {"quantbench", parameter} <= set(metafunc.fixturenames):
            chosen: Sequence[str] = metafunc.config.getoption(f"bench_{parameter}", None) or default
            metafunc.parametrize(parameter, chosen)
