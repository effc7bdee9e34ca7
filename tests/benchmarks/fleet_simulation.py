"""A thousand simulated machines: what the driver holds and writes, how long it takes, and what the report shows.

    python -m tests.benchmarks.fleet_simulation [--nodes 1000] [--out reports/fleet]

No machine is there: the driver of ``bench fleet run`` is given a stub in the place of Ray, whose nodes answer with the
committed run of the lab suite. Each node's rounds are scaled by a random factor; three nodes in ten are of a second
kind, an invented CPU without AVX-512 on which int8 gains less and bfloat16 loses; some fall, hang or refuse; some are
outliers. The report must find what was planted.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from bench.comparing.fleet import FleetComparison, compare_fleet
from bench.core.files import write_atomically
from bench.core.progress import Bars
from bench.fleet.drive import Drive
from bench.fleet.executor import Job, Node
from bench.fleet.folder import FleetFolder
from bench.fleet.node_child import Event
from bench.options.run import RunOptions
from bench.report import fleet as report
from bench.report import markdown
from bench.report.tables import table
from bench.results.fleet import Fleet
from bench.running.plan import plan
from tests.bench.fleet.stub import DONE, FACTS, StubExecutor, lost
from tests.benchmarks.provenance import provenance
from tests.repository import ROOT

SOURCE = ROOT / "reports" / "lab" / "run.json"
NOISE = 0.02
"""Standard deviation of the logarithm of a node's speed-ups around those of its kind."""
OLD = {"cpu": "Invented CPU without AVX-512", "isa": ["AVX2", "FMA", "F16C"]}
OLD_SLOWER = {"qint8": 1.8, "bfloat16": 6.0}
"""By dtype, how many times as long a call takes on the second kind."""
OUTLIER_SLOWER = 1.5
SHARES = {"old": 0.3, "outlier": 0.005, "falls": 0.01, "hangs": 0.003, "refuses": 0.002}


def main() -> None:
    """Simulate, check, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "fleet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures, text = simulate(options.nodes, Path(folder))
    print(render(figures))
    write_atomically(options.out / "simulation.json", json.dumps(provenance() | figures, indent=1) + "\n")
    write_atomically(options.out / "simulation.md", render(figures) + "\n")
    write_atomically(options.out / "simulated-report.md", text)


def simulate(number: int, folder: Path) -> tuple[dict[str, Any], str]:
    """Return figures of a fleet of so many nodes, and its report, which must name what was planted."""
    source = json.loads(SOURCE.read_text())
    kinds = kinds_of(number)
    nodes = [Node(f"key{position}", f"node{position:04}", {"CPU": 1.0}) for position in range(number)]
    by_name = {node.name: kind for node, kind in zip(nodes, kinds, strict=True)}

    def say(node: Node, job: Job) -> Iterable[Event]:
        return script(source, node.name, by_name[node.name])

    executor = StubExecutor(nodes, say)
    fleet = Fleet(quantbench=source["quantbench"], created=source["created"], spec=plan(RunOptions()))
    job = Job("none", {}, ["run.json"])
    before = psutil.Process().memory_info().rss
    start = time.process_time()
    driver = Drive(executor, FleetFolder(folder), fleet, lambda name: job, 3600.0, Bars("nothing"), executor.clock)
    done = driver.run(nodes)
    driven_s = time.process_time() - start
    driver_bytes = _peak_bytes() - before
    start = time.process_time()
    runs = FleetFolder(folder).runs(done)
    report.write(done, runs, folder)
    reported_s, report_bytes = time.process_time() - start, _peak_bytes() - before
    compared = compare_fleet(runs)
    require_found(compared, done, by_name)
    return {
        "simulated": True,
        "nodes": number,
        "finished": sum(node.state == "finished" for node in done.nodes),
        "driven_s": round(driven_s, 1),
        "driver_peak_bytes": driver_bytes,
        "reported_s": round(reported_s, 1),
        "report_peak_bytes": report_bytes,
        "run_file_bytes": (folder / nodes[0].name / "run.json").stat().st_size,
        "folder_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "fleet_file_bytes": (folder / "fleet.json").stat().st_size,
        "report_bytes": (folder / "report.md").stat().st_size,
        "groups": [{"cpu": group.cpu, "machines": len(group.members)} for group in compared.groups],
        "outliers_planted": sum("outlier" in kind for kind in kinds),
        "outliers_named": len({outlier.node for outlier in compared.outliers}),
    }, markdown.render_document(report.document(done, compared, runs), pictures=False) + "\n"


def kinds_of(number: int) -> list[set[str]]:
    """Return what each node is; at least one of each kind is there."""
    rng = random.Random(0)
    kinds: list[set[str]] = [{"old"} if position < SHARES["old"] * number else set() for position in range(number)]
    free = rng.sample(range(number), number)
    for kind in ("outlier", "falls", "hangs", "refuses"):
        for _ in range(max(1, round(SHARES[kind] * number))):
            kinds[free.pop()].add(kind)
    return kinds


def script(source: dict[str, Any], name: str, kind: set[str]) -> Iterator[Event]:
    """Say what a node of a kind says."""
    yield FACTS
    yield {"kind": "at", "label": "time mnist/lab1", "done": 1, "total": 12}
    if "refuses" in kind:
        yield {"kind": "end", "code": None, "reason": "Ray runs its workers at niceness 15 there"}
        return
    yield _file(measured(source, name, kind) | {"finished": False})
    if "falls" in kind:
        yield lost("the node died, was drained or is out of reach")
    elif "hangs" not in kind:
        yield _file(measured(source, name, kind))  # not held from before: a thousand nodes are one process here
        yield DONE


def _file(run: dict[str, Any]) -> Event:
    return {"kind": "file", "name": "run.json", "content": json.dumps(run).encode()}


def measured(source: dict[str, Any], name: str, kind: set[str]) -> dict[str, Any]:
    """Return the committed run as such a node might have measured it: rounds and speed-ups are scaled alike."""
    rng = random.Random(name)
    rows = []
    for row in source["rows"]:
        slower = rng.lognormvariate(0, NOISE) if row["speedup"] else 1.0
        slower *= OLD_SLOWER.get(row["dtype"], 1.0) if "old" in kind else 1.0
        slower *= OUTLIER_SLOWER if "outlier" in kind and row["dtype"] == "qint8" else 1.0
        rows.append(_scaled(row, slower))
    machine = source["machine"] | (OLD if "old" in kind else {})
    return source | {"rows": rows, "machine": machine, "created": f"{source['created']} {name}"}


def _scaled(row: dict[str, Any], slower: float) -> dict[str, Any]:
    latency = {
        size: one
        | {
            "estimate_s": one["estimate_s"] * slower,
            "runs_s": [seconds * slower for seconds in one["runs_s"]],
            "rounds_s": [seconds * slower for seconds in one["rounds_s"]],
        }
        for size, one in row["latency"].items()
    }
    speedup = {
        size: one | {key: one[key] / slower for key in ("value", "low", "high")} for size, one in row["speedup"].items()
    }
    return row | {"latency": latency, "speedup": speedup}


def require_found(compared: FleetComparison, fleet: Fleet, kinds: dict[str, set[str]]) -> None:
    """Raise ``AssertionError`` unless the kinds, the outliers and the nodes that fell are those that were planted."""
    measuring = {name for name, kind in kinds.items() if "refuses" not in kind}
    old = {name for name in measuring if "old" in kinds[name]}
    assert {frozenset(group.members) for group in compared.groups} == {frozenset(old), frozenset(measuring - old)}
    outliers = {outlier.node for outlier in compared.outliers}
    planted = {name for name, kind in kinds.items() if "outlier" in kind}
    assert planted <= outliers, f"not named: {planted - outliers}"
    unfinished = {node.name for node in fleet.nodes if node.state != "finished"}
    assert unfinished == {name for name, kind in kinds.items() if kind & {"falls", "hangs", "refuses"}}


def render(figures: dict[str, Any]) -> str:
    """Return the figures in markdown."""
    mb = 1e6
    rows = [
        ["Simulated nodes", f"{figures['nodes']:,}"],
        ["of them finished", f"{figures['finished']:,}"],
        ["Driver: all events taken, all run files written (CPU seconds)", figures["driven_s"]],
        ["Driver: peak memory beyond the process itself (MB)", f"{figures['driver_peak_bytes'] / mb:.0f}"],
        ["Report: all run files read, compared, rendered (CPU seconds)", figures["reported_s"]],
        ["Report: peak memory beyond the process itself (MB)", f"{figures['report_peak_bytes'] / mb:.0f}"],
        ["One run file (MB)", f"{figures['run_file_bytes'] / mb:.2f}"],
        ["All files (MB)", f"{figures['folder_bytes'] / mb:.0f}"],
        ["`fleet.json` (MB)", f"{figures['fleet_file_bytes'] / mb:.2f}"],
        ["`report.md` (kB)", f"{figures['report_bytes'] / 1e3:.0f}"],
        ["Kinds", "; ".join(f"{group['cpu']}: {group['machines']}" for group in figures["groups"])],
        ["Outliers planted, named", f"{figures['outliers_planted']}, {figures['outliers_named']}"],
    ]
    above = "No machine was there: a stub in the same process answers with the committed run of the lab suite."
    return f"# A simulated fleet\n\n{above}\n\n{table(rows, ['What', 'Figure'])}"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
