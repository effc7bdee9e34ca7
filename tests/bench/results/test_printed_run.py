"""What ``print`` shows of a run."""

from __future__ import annotations

import bench
from tests.repository import ROOT


def test_a_printed_run_is_its_tables() -> None:
    printed = str(bench.load_run(ROOT / "reports/own-model/run.json"))
    assert "| build   | static-qint8" in printed
    assert "Speed-up B64" in printed
    assert "rounds_s" not in printed
