"""One latency is printed everywhere: the ratio of two lies in the printed interval of their speed-up."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from io import StringIO
from random import Random
from typing import Any

import pytest
from hypothesis import given

from bench.report import flat, page, pictures
from bench.report.markdown import render
from bench.report.spans import Panel
from bench.report.trade_off import Cost, Point
from bench.results.latency import Speedup
from bench.results.run import Run
from bench.stats.describe import run_means
from tests.bench.examples import RUN
from tests.bench.mutations import FEW, RANDOMS

CALLS_S = {"fp32": 50e-6, "fp16": 49e-6, "dynamic-qint8": 20e-6}
SIZES = {1: 1.0, 64: 10.0}
ROUNDS = 3
"""Of a process."""
UNITS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
Text = dict[tuple[str, int], str]
"""What is printed of a technique at a batch size."""


def invented(random: Random) -> Run:
    """Return a run of up to 14 processes on a drifting machine, from some of which a variant is missing.

    It is read as a file of schema version 4, so its estimates are made by the code that makes those of users.
    """
    content: dict[str, Any] = json.loads(RUN.model_dump_json())
    processes = random.randint(1, 14)
    drifts = [math.exp(random.gauss(0, 0.3)) for _ in range(processes * ROUNDS)]
    scale = 10 ** random.uniform(-2, 4)
    rows = [row for row in content["rows"] if row["technique"] in CALLS_S]
    for row in rows:
        factor = 1.0 if row["technique"] == "fp32" else math.exp(random.gauss(0, 1))
        there = set(range(processes)) if row["technique"] == "fp32" else _some(random, processes)
        for size, times in SIZES.items():
            call_s = CALLS_S[row["technique"]] * times * scale * factor
            row["latency"][str(size)] = _latency(random, call_s, drifts, there, processes)
    content |= {"schema_version": 4, "rows": rows}
    return _retired(random, Run.model_validate(content))


def _some(random: Random, processes: int) -> set[int]:
    return {process for process in range(processes) if random.random() < 0.8} | {random.randrange(processes)}


def _latency(
    random: Random, call_s: float, drifts: Sequence[float], there: set[int], processes: int
) -> dict[str, object]:
    """Return a latency whose processes are faster or slower for life, in a few of them by much."""
    of_process = [random.gauss(0, 0.05) + (random.random() < 0.1) for _ in range(processes)]
    rounds = [number for number in range(len(drifts)) if number // ROUNDS in there]
    rounds_s = [
        call_s * drifts[number] * math.exp(of_process[number // ROUNDS] + random.gauss(0, 0.02)) for number in rounds
    ]
    return {
        "runs_s": run_means(rounds_s, min(5, len(rounds))),
        "rounds": rounds,
        "rounds_s": rounds_s,
        "starts": [ROUNDS * process for process in range(processes)],
        "calls_per_block": 100,
        "warm_up_s": [call_s],
        "warm": True,
    }


def _retired(random: Random, run: Run) -> Run:
    """Return the run, at times with a variant that was timed no more after its first processes."""
    fp32, fp16, *others = run.rows
    if random.random() < 0.5:
        return run
    estimates = {size: latency.estimate_s for size, latency in fp16.latency.items()}
    slow = {size: 0.05 * speedup.value if size == 64 else speedup.value for size, speedup in fp16.speedup.items()}
    retired = Speedup(value=slow[64], low=slow[64], high=slow[64], confidence=0.0, p_value=0.25, n=3, retired=True)
    latency = fp16.latency[64].model_copy(update={"estimate_s": estimates[64] / 0.05})
    changes = {"speedup": fp16.speedup | {64: retired}, "latency": fp16.latency | {64: latency}}
    return run.model_copy(update={"rows": [fp32, fp16.model_copy(update=changes), *others]})


RUNS = RANDOMS.map(invented)


def printed(text: str, digits: int | None = None) -> tuple[float, float]:
    """Return between which numbers lies what was rounded to ``text``, to its decimals or to significant ``digits``."""
    found = re.match(r"(\d+(?:\.(\d+))?)(?: (s|ms|µs|ns)\b)?", text)
    assert found is not None, text
    value, unit = float(found[1]), UNITS[found[3] or "s"]
    decimals = len(found[2] or "") if digits is None else digits - 1 - math.floor(math.log10(value))
    half = 0.5001 * 10.0**-decimals
    return (value - half) * unit, (value + half) * unit


def assert_one_definition(latencies: Text, speedups: Text, digits: int | None = None) -> None:
    """Assert that ratios of latencies lie in the intervals, or are the values where there are none."""
    assert {technique for technique, _ in speedups} >= set(CALLS_S) - {"fp32"}
    for (technique, size), text in speedups.items():
        if technique == "fp32":
            continue
        fp32, variant = (printed(latencies[name, size], digits) for name in ("fp32", technique))
        interval = re.search(r"\[([\d.]+), ([\d.]+)\]", text)
        low, high = (printed(end) for end in (interval.groups() if interval else (text, text)))
        assert fp32[1] / variant[0] >= low[0], (technique, size)
        assert fp32[0] / variant[1] <= high[1], (technique, size)


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of the tables of a document in markdown."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    lines = [[line for line in block.splitlines() if set(line) - set("|:-")] for block in blocks]
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in block] for block in lines]


class Cells(HTMLParser):
    """Collects the cells of the tables of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.within = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.within = True

    def handle_endtag(self, tag: str) -> None:
        self.within = self.within and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.within:
            self.tables[-1][-1][-1] += data


def of_tables(found: Sequence[Sequence[Sequence[str]]]) -> tuple[Text, Text]:
    """Return the latencies and the speed-ups of the tables of a report."""
    latencies: Text = {}
    speedups: Text = {}
    for header, *rows in found:
        for row in rows:
            cells = dict(zip(header, row, strict=False))
            if "Spread" in header:
                latencies[cells["Technique"], int(cells["Batch"])] = cells["Latency"]
            for size in SIZES:
                if f"Speed-up B{size}" in header:
                    speedups[cells["Technique"], size] = cells[f"Speed-up B{size}"]
    assert {("fp32", size): speedups["fp32", size] for size in SIZES} == {
        ("fp32", size): latencies["fp32", size] for size in SIZES
    }, "the headline shows fp32's own latency"
    return latencies, speedups


@FEW
@given(run=RUNS)
def test_in_the_tables_of_a_report(run: Run) -> None:
    text = render([run], pictures=False)
    assert_one_definition(*of_tables(tables(text)))


@FEW
@given(run=RUNS)
def test_in_the_tables_of_a_page(run: Run) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "_source", lambda picture: "data:,")
        found = Cells(page.render([run])).tables
    assert_one_definition(*of_tables([table for table in found if "Technique" in table[0]]))


@FEW
@given(run=RUNS)
def test_in_flat_files(run: Run) -> None:
    for records in (json.loads(flat.as_json([run])), list(csv.DictReader(StringIO(flat.as_csv([run]))))):
        fp32, *variants = records
        for row in variants:
            for size in SIZES:
                ratio = float(fp32[f"latency_b{size}_s"]) / float(row[f"latency_b{size}_s"])
                value = float(row[f"speedup_b{size}"])
                low, high = (float(row[f"speedup_b{size}_{end}"] or value) for end in ("low", "high"))
                assert low * (1 - 1e-9) <= ratio <= high * (1 + 1e-9)


@FEW
@given(run=RUNS)
def test_in_pictures(run: Run) -> None:
    drawn: list[tuple[Sequence[Panel], Any]] = []
    costs: dict[str, Mapping[str, float]] = {}

    def spans(panels: Sequence[Panel], show: Any, *_: object) -> str:
        drawn.append((panels, show))
        return ""

    def trade_off(points: Sequence[Point], _: Sequence[Cost], *__: object) -> str:
        costs.update({point.label: point.costs for point in points})
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "draw_spans", spans)
        patch.setattr(pictures, "trade_off", trade_off)
        for picture in pictures.pictures_of(run):
            picture.draw()
    latencies, speedups = (
        {
            (span.label, size): show(span.value)
            for panel, size in zip(panels, SIZES, strict=True)
            for span in panel.series[0].spans
        }
        for panels, show in drawn
    )
    by_key = {str(row.key): row for row in run.rows}
    intervals = {
        place: f"{text} [{speedup.low}, {speedup.high}]"
        for place, text in speedups.items()
        if (speedup := by_key[place[0]].speedup[place[1]])
    }
    assert_one_definition(latencies, intervals, digits=3)
    for row in run.rows:
        for size in SIZES:
            assert costs[row.technique][f"Latency at batch {size}"] == row.latency[size].estimate_s
