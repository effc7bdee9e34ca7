"""Thousands of changes of each format of files are read, or refused in one line, in little time and memory.

A few hundred of each in the fast suite; 10,000 in the slow one, or as many as ``QUANTBENCH_MUTATIONS`` says.
``python -m tests.bench.fuzzing.loop FORMAT 1 NUMBER`` tries one change again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.repository import ROOT

pytest.importorskip("resource", reason="memory and CPU time are measured as Unix does")
from tests.bench.fuzzing.loop import FORMATS, MOST_CPU_S, Outcome

FEW = dict.fromkeys(FORMATS, 200) | {"run": 100, "packed file": 100}
MANY = int(os.environ.get("QUANTBENCH_MUTATIONS", "10_000"))
MOST_BYTES = 2**29
"""Of what is read; torch alone, which reading a network imports, takes as much on some machines."""


def fuzzed(name: str, count: int, timeout_s: float) -> Outcome:
    command = [sys.executable, "-m", "tests.bench.fuzzing.loop", name, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr[-10_000:]
    return Outcome(**json.loads(done.stdout))


def check(outcome: Outcome, count: int) -> None:
    print(outcome)
    assert not outcome.failures, "\n".join(outcome.failures)
    assert outcome.tried == count
    assert 0 < outcome.accepted < count, "what is changed is looked at, and refused where it is damaged"
    assert outcome.slowest_s < MOST_CPU_S
    assert outcome.peak_bytes - outcome.imported_bytes < MOST_BYTES


@pytest.mark.parametrize("name", FORMATS)
def test_a_few_hundred_changed_files(name: str) -> None:
    check(fuzzed(name, FEW[name], timeout_s=600), FEW[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_ten_thousand_changed_files(name: str, record_property: Callable[[str, object], None]) -> None:
    outcome = fuzzed(name, MANY, timeout_s=7_200)
    check(outcome, MANY)
    refused = outcome.tried - outcome.accepted
    seen = f"{refused:,} are refused in one line, {outcome.accepted:,} are read and rendered"
    memory = f"memory peaks at {outcome.peak_bytes / 1e6:.0f} MB"
    took = f"the slowest is read in {outcome.slowest_s:.2f} s of CPU time; {memory}"
    record_property("survived", [f"{outcome.tried:,} damaged or hostile files of one format: {name}", seen, took])
