"""Rows and runs that the tests of a report's discussion vary."""

from __future__ import annotations

from bench.report.discussion import findings
from bench.report.findings.finding import Finding, Kind
from bench.results.latency import Latency
from bench.results.machine import Machine
from bench.results.row import Row
from bench.results.run import Run
from tests.bench.examples import (
    FP32,
    MACHINE,
    QINT8,
    RUN,
    agreement,
    latency,
    speedup,
)
from tests.repository import ROOT

LAB = ROOT / "reports/lab/run.json"
SLOW_CALL = {1: latency(2e-3), 64: latency(60e-3)}
"""Of a model that is not small."""
SAME = speedup(1.0, 0.01, p_value=0.9)
STATIC_OK = QINT8.model_copy(update={"technique": "static-qint8", "scheme": "S"})
HINT = QINT8.model_copy(update={"agreement": agreement(same=9_953, lost=31, gained=16)})
"""p = 0.04, which is no verdict beside a second row."""
EQUALLY_FAST = QINT8.model_copy(update={"speedup": {1: SAME, 64: SAME}, "latency": FP32.latency})


def run_of(*rows: Row, machine: Machine = MACHINE, **settings: object) -> Run:
    return RUN.model_copy(
        update={"rows": list(rows), "machine": machine, "settings": RUN.settings.model_copy(update=settings)}
    )


def found(run: Run, *kinds: Kind) -> list[Finding]:
    """Return the findings of some kinds."""
    return [finding for part in findings(run).values() for finding in part if finding.kind in kinds]


def techniques(finding: Finding) -> list[str]:
    return [row.technique for row in finding.rows]


def with_speedups(row: Row, one: float, sixty_four: float, margin: float = 0.02, p_value: float = 1e-9) -> Row:
    """Return the row with speed-ups over ``FP32``, and the latencies that go with them."""
    return row.model_copy(
        update={
            "speedup": {1: speedup(one, margin, p_value), 64: speedup(sixty_four, margin, p_value)},
            "latency": {1: latency(50e-6 / one), 64: latency(600e-6 / sixty_four)},
        }
    )


def in_one_process(latency: Latency, factor: float) -> Latency:
    """Return the latency with the rounds of its first process so many times as long."""
    first, *others = latency.rounds_s
    return latency.model_copy(update={"rounds_s": [factor * first, *others]})


def losses(*lost: int, gained: int = 10) -> list[Row]:
    return [
        QINT8.model_copy(update={"technique": f"dorefa:w{bits}", "agreement": agreement(9_000, each, gained)})
        for bits, each in enumerate(lost, start=1)
    ]
