"""The pytest plug-in: the fixture ``quantbench``, and this machine's fingerprint in pytest-benchmark's files.

pytest loads this module whenever it starts, so it imports next to nothing; ``bench.pytest_plugin.fixture`` measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.pytest_plugin.fixture import QuantBench

FIXTURE = "quantbench"
MIN_ROUND_S = 1e-3
"""A round lasts at least this long, so that the clock is no part of it, unless pytest-benchmark is told otherwise."""
DEFAULT_MIN_TIME_S = 5e-6
"""pytest-benchmark's own."""


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixture that fits: pytest-benchmark may be absent or switched off."""
    there = hasattr(config.hook, "pytest_benchmark_update_machine_info")
    config.pluginmanager.register(Fixtures() if there else Refusal(), "quantbench-fixtures")


class Fixtures:
    """The plug-in beside pytest-benchmark."""

    def __init__(self) -> None:
        self._used = False
        self._described: dict[str, Any] = {}

    @pytest.fixture(name=FIXTURE)
    def quantbench(self, benchmark: Any) -> QuantBench:
        """Time a model after a technique: ``quantbench(model, inputs, technique="dynamic-qint8")``."""
        from bench.pytest_plugin.fixture import QuantBench

        return QuantBench(benchmark)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        """Let the rounds of our benchmarks last long enough, and note whether there are any."""
        ours = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
        self._used = bool(ours)
        if float(config.getoption("benchmark_min_time")) != DEFAULT_MIN_TIME_S:
            return
        for item in ours:
            marker = item.get_closest_marker("benchmark")
            given = dict(marker.kwargs) if marker else {}
            item.add_marker(pytest.mark.benchmark(**{"min_time": MIN_ROUND_S, **given}), append=False)

    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Add our fingerprint to a file that has benchmarks of ours."""
        if self._used:
            machine_info["quantbench"] = self._describe()

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_compare_machine_info(
        self, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
    ) -> None:
        """Compare like with like: a file is compared before it is known whether this session has benchmarks of ours."""
        if "quantbench" in compared_benchmark["machine_info"]:
            machine_info["quantbench"] = self._describe()
        else:
            machine_info.pop("quantbench", None)

    def _describe(self) -> dict[str, Any]:
        if not self._described:
            from bench.measuring.machine import describe

            self._described = describe().model_dump()
        return self._described


class Refusal:
    """The plug-in without pytest-benchmark."""

    @pytest.fixture(name=FIXTURE)
    def quantbench(self) -> None:
        """Say what is missing."""
        pytest.fail("the fixture quantbench needs pytest-benchmark; pip install pytest-benchmark.", pytrace=False)
