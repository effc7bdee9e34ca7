"""The report of a fleet, as markdown and as a page."""

from __future__ import annotations

from pathlib import Path

from bench.report import fleet as report
from bench.results.fleet import NodeFacts, NodeRecord
from tests.bench.comparing.test_fleet import many, run_of
from tests.bench.fleet.plans import FLEET

FACTS = NodeFacts(python="3.11.2", versions={"torch": "2.14.1", "quantbench": "0.9.0"}, load=1.5, niceness=0)


def test_it_says_what_is_missing_and_what_the_machines_say(tmp_path: Path) -> None:
    nodes = [
        NodeRecord(name="server", state="finished", facts=FACTS, rows=2),
        NodeRecord(name="laptop", state="failed", reason="the node died", rows=2),
    ]
    runs = {"server": run_of(0), "laptop": run_of(1, old=True, int8=0.8)}
    report.write(FLEET.model_copy(update={"nodes": nodes}), runs, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "**Incomplete.** 1 of 2 nodes did not finish" in text
    assert "the node died" in text
    assert "its own quantbench 0.9.0 was not used, but the driver's 1.0.0" in text
    assert "no AVX512-VNNI on laptop" in text
    assert "`mnist/lab1`: `fp32` on server, laptop" in text, "what to deploy on which machine"
    page = (tmp_path / "report.html").read_text()
    assert "the node died" in page
    assert "Old CPU 100" in page
    assert list(tmp_path.glob("fleet-speed-up-*.svg"))


def test_many_machines_are_shown_by_kind(tmp_path: Path) -> None:
    runs = many()
    nodes = [NodeRecord(name=name, state="finished", rows=2) for name in runs]
    report.write(FLEET.model_copy(update={"nodes": nodes}), runs, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "10 of 10 nodes finished." in text
    assert "| A      | Example CPU 3000 |" in text
    assert "**slow** (1 speed-up)" in text
    assert "Kinds of machines" in text


def test_a_machine_alone_has_a_report(tmp_path: Path) -> None:
    nodes = [NodeRecord(name="server", state="finished", rows=2)]
    report.write(FLEET.model_copy(update={"nodes": nodes}), {"server": run_of(0)}, tmp_path)
    assert "Quantbench: lab on 1 machine" in (tmp_path / "report.md").read_text()
