"""Whether the harness keeps its promises on this machine: false alarms, power, truth, spread from start to start.

    python -m tests.benchmarks.trust [--out reports/trust]

The self-check of ``bench selfcheck`` at full length, with 1 thread and with 2: half an hour on an idle
machine. A bound that is missed is said to be missed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.core.files import write_atomically
from bench.core.units import counted, percent
from bench.report.selfcheck import false_alarms, found, truth_error, variation
from bench.report.tables import table
from bench.results.selfcheck import Plan, SelfCheck
from bench.studies.selfcheck import self_check

TRIES = Plan(tries=100, try_s=8.0, try_batch_sizes=[1, 64], spread_runs=2, spread_s=2.0)
SPREADS = Plan(tries=1, try_s=4.0, spread_runs=12, spread_s=10.0)
FALSE_ALARMS = 1
FOUND = 95
TRUTH = 0.01
SPREAD = 0.02
"""With 1 thread."""
SHARE_OF_PEER = 0.25


def main() -> None:
    """Check, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("reports/trust"))
    options = parser.parse_args()
    checks = [self_check(threads=threads, plan=plan) for threads, plan in ((1, TRIES), (1, SPREADS), (2, SPREADS))]
    content = [check.model_dump(mode="json") for check in checks]
    text = render(checks)
    print(text)
    write_atomically(options.out / "trust.json", json.dumps(content, indent=1) + "\n")
    write_atomically(options.out / "trust.md", text + "\n")
    sys.exit(any("missed" in line for line in text.splitlines()))


def render(checks: list[SelfCheck]) -> str:
    """Return the table of what was found, and of what it is held against: tries first, then spreads by threads."""
    full = checks[0]
    plan = full.plan
    rows = [
        _row(
            "Model against itself called different",
            f"{len(false_alarms(full))} of {plan.tries}",
            f"≤ {FALSE_ALARMS}",
            len(false_alarms(full)) <= FALSE_ALARMS,
        ),
        _row(
            f"Planted {percent(plan.slow_down, 0)} slow-down found",
            f"{len(found(full))} of {plan.tries}",
            f"≥ {FOUND}",
            len(found(full)) >= FOUND,
        ),
        _row(
            "Stubs of known time, 20 µs to 20 ms, read within",
            f"{percent(truth_error(full), 2)}",
            f"≤ {percent(TRUTH, 0)}",
            truth_error(full) <= TRUTH,
        ),
    ]
    for check in checks[1:]:
        for spread in check.spreads:
            ours, peers = variation(spread.ours), variation(spread.peers)
            name = f"Spread of int8's speed-up, batch {spread.batch_size}, {counted(check.threads, 'thread')}"
            if check.threads == 1:
                rows.append(_row(name, f"{percent(ours, 2)}", f"≤ {percent(SPREAD, 0)}", ours <= SPREAD))
            else:
                rows.append([name, percent(ours, 2), "none set", ""])
            share = ours / peers
            rows.append(
                _row(
                    f"{name}, as a share of torch.utils.benchmark's {percent(peers, 2)}",
                    f"{share:.2f}",
                    f"≤ {SHARE_OF_PEER}",
                    share <= SHARE_OF_PEER,
                )
            )
    return (
        table(rows, ["Question", "Found", "Bound", "Reached"])
        + f"\n\nTries of {plan.try_s:g} s, batch {' and '.join(map(str, plan.try_batch_sizes))} in turn; spreads are "
        f"coefficients of variation over {checks[1].plan.spread_runs} fresh starts of {checks[1].plan.spread_s:g} s. "
        f"Measured on {full.machine.cpu}, {full.machine.logical_cores} cores, {full.created}, "
        f"torch {full.machine.torch}. "
        + " ".join(
            f"{check.disturbed_blocks:,} of {check.blocks:,} blocks were disturbed in {where}."
            for where, check in zip(_sittings(checks), checks, strict=True)
        )
    )


def _sittings(checks: Sequence[SelfCheck]) -> list[str]:
    return ["the tries", *(f"the spreads with {counted(check.threads, 'thread')}" for check in checks[1:])]


def _row(question: str, value: str, bound: str, reached: bool) -> list[str]:
    return [question, value, bound, "yes" if reached else "missed"]


if __name__ == "__main__":
    main()
