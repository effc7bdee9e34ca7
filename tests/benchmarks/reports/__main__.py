"""Makes every committed report from nothing, and the tables of README and docs from them.

    python -m tests.benchmarks.reports [--list] [--only NAME ...] [--long] [--again] [--data-root DIR]
        [--training-device cuda]

Part after part, and what this version has made is not made again: the same command goes on after an interrupt. The
folder of a part in ``reports/`` is replaced when the part is finished. What is made, and how long each part took, is
noted in ``runs/reports/state.json``; ``runs/reports/logs`` has what commands print. Measuring wants an idle machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.report.tables import table
from tests.benchmarks.reports.make import Making, Outcome
from tests.benchmarks.reports.part import Part
from tests.benchmarks.reports.parts import NOT_REMADE, PARTS
from tests.benchmarks.reports.state import State
from tests.repository import ROOT

WORK = ROOT / "runs/reports"
MOST_BYTES = 15_000_000
"""Of all reports together."""


def main() -> None:
    """Make what is asked for, or list what there is."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="say what there is, and make nothing")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="make this part; repeatable")
    parser.add_argument("--long", action="store_true", help="make those too that take hours to days of training")
    parser.add_argument("--again", action="store_true", help="make again what this version has made")
    parser.add_argument("--data-root", type=Path, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument(
        "--training-device",
        choices=["cpu", "cuda"],
        default="cpu",
        help="where the weights of low-bit networks are trained; cuda finds those that a GPU left in the cache, too",
    )
    options = parser.parse_args()
    here = version("quantbench")
    if options.list:
        print(listed(PARTS, State.read(WORK / "state.json"), here))
        return
    if options.data_root is not None:
        os.environ["QUANTBENCH_DATA"] = str(options.data_root.resolve())
    chosen = [part for part in PARTS if options.only is None or part.name in options.only]
    making = Making(here, WORK, long=options.long, again=options.again, on_gpu=options.training_device == "cuda")
    try:
        outcomes = made(chosen, making)
    except KeyboardInterrupt:
        sys.exit("reports: interrupted; the same command goes on.")
    print(summary(outcomes))
    subprocess.run([sys.executable, "-m", "tests.test_readme"], cwd=ROOT, check=True)
    size = reports_bytes(ROOT / "reports")
    print(f"\nreports/ has {size / 1e6:.1f} MB of at most {MOST_BYTES / 1e6:g}.")
    sys.exit(size > MOST_BYTES or any(outcome.word == "failed" for outcome in outcomes))


def made(parts: Sequence[Part], making: Making) -> list[Outcome]:
    """Make parts, and say what goes on."""
    outcomes = []
    for position, part in enumerate(parts):
        print(f"{position + 1} of {len(parts)}: {part.name}, about {duration(part.about_s)}", flush=True)
        outcomes.append(making.make(part))
        print(f"  {said(outcomes[-1])}", flush=True)
    return outcomes


def said(outcome: Outcome) -> str:
    """Return what became of a part in a few words."""
    took = f" in {duration(outcome.seconds)}" if outcome.word == "made" and outcome.seconds is not None else ""
    return f"{outcome.word}{took}{f': {outcome.reason}' if outcome.reason else ''}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return a table of all parts, with the time that each took."""
    rows = [
        [outcome.part.name, "" if outcome.seconds is None else duration(outcome.seconds), said(outcome)]
        for outcome in outcomes
    ]
    return f"\n{table(rows, ['Report', 'Took', 'What became of it'])}\n"


def listed(parts: Sequence[Part], state: State, here: str) -> str:
    """Return a table of what there is, what it needs, and how long it takes and took."""
    rows = []
    for part in parts:
        finished, begun = state.finished(part.name, here), state.begun(part.name, here)
        known = finished or begun
        needs = [*(need.name for need in part.needs), *(["--long"] if part.long else [])]
        rows.append(
            [
                part.name,
                f"about {duration(part.about_s)}",
                ", ".join(needs) or "nothing",
                duration(known.seconds) if known else "",
                f"made {finished.ended}" if finished else "interrupted" if begun else "",
            ]
        )
    rows += [[name, "", f"not made again: {reason}", "", ""] for name, reason in NOT_REMADE.items()]
    return table(rows, ["Report", "Takes", "Needs", "Took", f"With {here}"])


def duration(seconds: float) -> str:
    """Return seconds, minutes, hours or days."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}" if seconds >= 10 * length else f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def reports_bytes(folder: Path) -> int:
    """Return how many bytes all files below a folder have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
