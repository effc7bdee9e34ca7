"""A variant that fails is a row with the reason; those beside it are measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.core.variant_key import VariantKey
from bench.results.row import Row
from bench.results.run_file import load
from bench.running.runner import run
from bench.running.variant_under_test import VariantUnderTest
from tests.faults import treacherous
from tests.faults.conftest import Survived

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and limits are planted as Linux has them")

FILE = Path(treacherous.__file__)
QUICK: dict[str, Any] = {"batch_sizes": 2, "runs": 1, "precision": 0.9, "progress": False}
HANGING = VariantKey("dynamic-qint8")
IMPATIENT_S = 2.0
"""For the one that hangs; the others may take as long as a busy machine makes them."""

FAULTS = {
    "fp16": ("A variant segfaults", "the process died of SIGSEGV"),
    "bf16": ("A variant aborts", "the process died of SIGABRT"),
    "dynamic-fp16": ("A variant asks for more memory than `ulimit -v` allows", "it ran out of memory ("),
    "dynamic-qint8": ("A variant hangs", "it hung: no sign of life for 2 s, so its process was ended"),
}
"""What is planted in the variant of a technique, and the beginning of the row's reason."""
NOTES = {
    "amp": ("A variant answers NaN", "100.00 % of those for the example inputs are NaN or infinite"),
    "range-linear:w8a8": ("A variant answers in another shape", "numbers, and fp32's"),
}
"""The same of variants that can be measured, with a part of the row's note."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    start = VariantUnderTest.start

    def start_impatiently(variant: VariantUnderTest, host: str, timeout_s: float) -> None:
        start(variant, host, IMPATIENT_S if variant.key == HANGING else timeout_s)

    monkeypatch.setattr(VariantUnderTest, "start", start_impatiently)


def measured(rows: list[Row]) -> str:
    """Say how many rows have a latency."""
    return f"{sum(bool(row.latency) for row in rows)} of {len(rows)} rows are measured"


@pytest.mark.usefixtures("impatient")
def test_six_variants_misbehave_and_each_is_its_own_row(survived: Survived, tmp_path: Path) -> None:
    techniques = [*FAULTS, *NOTES, "static-qint8"]
    run(models=f"{FILE}:Treacherous", inputs=f"{FILE}:inputs", techniques=techniques, out=tmp_path, **QUICK)
    saved = load(tmp_path / "run.json")
    rows = {row.technique: row for row in saved.rows}
    assert saved.finished
    assert rows["fp32"].measured
    for technique, (planted, reason) in FAULTS.items():
        row = rows[technique]
        assert (row.status, row.latency) == ("failed", {})
        assert row.reason.startswith(reason)
        survived(planted, f"a row: failed, {row.reason}", f"the run goes on: {measured(saved.rows)}")
    for technique, (planted, note) in NOTES.items():
        [warning] = [warning for warning in rows[technique].notes if note in warning]
        assert rows[technique].measured
        survived(planted, f"a note at its row: {warning}", f"its figures, and {measured(saved.rows)}")


@pytest.fixture
def control_group() -> Iterator[Path]:
    """A control group of 256 MiB; skips where none can be made."""
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = Path(root) / f"quantbench-faults-{os.getpid()}"
        if not (Path(root) / "cgroup.procs").exists():
            continue
        try:
            folder.mkdir()
            (folder / limit).write_text(str(2**28))
        except OSError as error:
            if folder.exists():
                folder.rmdir()
            pytest.skip(f"no control group can be made here ({error.strerror})")
        yield folder
        folder.rmdir()
        return
    pytest.skip("this system has no control groups for memory")


def test_the_kernel_ends_a_variant_for_memory(
    survived: Survived, control_group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTS_CONTROL_GROUP", str(control_group))
    fp32, fp16 = run(models=f"{FILE}:Confined", inputs=f"{FILE}:inputs", techniques="fp16", **QUICK).rows
    if fp16.measured:
        pytest.skip("control groups do not limit memory here")
    assert fp32.measured
    assert fp16.reason.startswith("the process died of SIGKILL, which is how a system that runs out of memory")
    survived(
        "The kernel kills a variant whose control group is out of memory",
        f"a row: failed, {fp16.reason}",
        f"the run goes on: {measured([fp32, fp16])}",
    )
