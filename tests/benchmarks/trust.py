"""Whether the harness keeps its promises on this machine: the self-check at full length, with 1 thread and with 2.

    python -m tests.benchmarks.trust [--out reports/trust] [--runs 50] [--threads 1 2]

About an hour on an idle machine. What was measured is written after each number of threads; a bound that is missed is
said to be missed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.core.files import write_atomically
from bench.core.units import counted
from bench.report.selfcheck import faults, render
from bench.results.selfcheck import Plan, SelfCheck
from bench.studies.selfcheck import self_check

RUNS = 50
"""With two batch sizes, a hundred comparisons of each kind."""
PEERS = 12


def main() -> None:
    """Check, print the tables, write them and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("reports/trust"))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    checks = []
    for threads in options.threads:
        plan = Plan(runs=options.runs, slow_down=5 if threads == 1 else 10, peers=min(PEERS, options.runs))
        check = self_check(threads=threads, plan=plan)
        write_atomically(options.out / f"threads-{threads}.json", check.model_dump_json(indent=1) + "\n")
        checks.append(check)
    text = text_of(checks)
    print(text)
    write_atomically(options.out / "trust.md", text + "\n")
    sys.exit(any(faults(check) for check in checks))


def text_of(checks: list[SelfCheck]) -> str:
    """Return the tables, one for each number of threads."""
    return "\n\n".join(f"## {counted(check.threads, 'thread')}\n\n{render(check)}" for check in checks)


if __name__ == "__main__":
    main()
