"""Peak memory: the sums by fake readings, then tensors of a known size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import torch

from bench.measuring.memory import CudaGauge, LinuxGauge, MemoryProbe, Reading, ResidentGauge, gauge_for, malloc_trim

CPU = torch.device("cpu")
MB = 1_000_000


class FakeGauge:
    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = iter(readings)
        self.calls: list[str] = []

    def read(self) -> Reading:
        self.calls.append("read")
        return next(self._readings)

    def reset(self) -> None:
        self.calls.append("reset")


def peak(*readings: tuple[int, int, int]) -> int:
    probe = MemoryProbe(CPU, FakeGauge([Reading(*reading) for reading in readings]))
    probe.loaded()
    return probe.peak_bytes()


def test_the_model_and_what_its_first_batch_keeps_are_added() -> None:
    assert peak((100, 50, 150), (130, 50, 180), (137, 50, 187)) == 30 + 7


def test_what_the_batch_frees_again_is_in_the_high_water_mark() -> None:
    assert peak((100, 50, 150), (130, 50, 180), (137, 50, 200)) == 30 + 20


def test_pages_of_libraries_that_the_batch_touches_do_not_count() -> None:
    assert peak((100, 50, 150), (130, 60, 190), (137, 1060, 1210)) == 30 + 20


def test_the_high_water_mark_of_the_loading_does_not_count() -> None:
    gauge = FakeGauge([Reading(100, 0, 900), Reading(130, 0, 130), Reading(130, 0, 131)])
    probe = MemoryProbe(CPU, gauge)
    probe.loaded()
    assert probe.peak_bytes() == 31
    assert gauge.calls == ["read", "reset", "read", "read"]


def test_memory_that_shrinks_is_none_and_never_less() -> None:
    assert peak((100, 0, 100), (90, 0, 90), (80, 0, 90)) == 0


def test_a_reading_is_that_of_the_status_after_a_trim(tmp_path: Path) -> None:
    status = tmp_path / "status"
    sizes_kb = {"VmHWM": 900, "VmRSS": 700, "RssAnon": 400, "RssFile": 200, "RssShmem": 100}
    status.write_text("Name:\tpython\n" + "".join(f"{name}:\t  {size} kB\n" for name, size in sizes_kb.items()))
    trims: list[int] = []
    gauge = LinuxGauge(status, tmp_path / "clear_refs", trim=lambda: trims.append(1))
    assert gauge.read() == Reading(400 * 1024, 300 * 1024, 900 * 1024)
    gauge.reset()
    assert (tmp_path / "clear_refs").read_text() == "5"
    assert len(trims) == 2


def test_where_the_mark_cannot_be_reset_the_resident_set_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.measuring.memory.CLEAR_REFS", tmp_path / "nothing" / "here")
    assert isinstance(gauge_for(CPU), ResidentGauge)


def test_other_systems_read_the_resident_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    gauge = gauge_for(CPU)
    assert isinstance(gauge, ResidentGauge)
    reading = gauge.read()
    assert reading.private == reading.high_water == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


def test_cuda_asks_torchs_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 5 * MB)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7 * MB)
    gauge = gauge_for(torch.device("cuda"))
    assert isinstance(gauge, CudaGauge)
    assert gauge.read() == Reading(5 * MB, 0, 7 * MB)


def test_a_c_library_without_malloc_trim_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert malloc_trim()() is None


MEASURE = """
import sys, torch
from bench.measuring.memory import MemoryProbe
probe = MemoryProbe(torch.device("cpu"))
keep = torch.ones(16_000_000) if sys.argv[1] == "model" else None
probe.loaded()
if sys.argv[1] == "batch":
    torch.ones(16_000_000)
print(probe.peak_bytes())
"""


@pytest.mark.skipif(not isinstance(gauge_for(CPU), LinuxGauge), reason="only Linux tells the peak within a batch")
@pytest.mark.parametrize("where", ["model", "batch"])
def test_sixty_four_megabytes_are_seen_in_the_model_and_for_a_moment_in_the_batch(where: str) -> None:
    # In a process of its own: other tests' garbage is freed whenever it likes.
    done = subprocess.run([sys.executable, "-c", MEASURE, where], capture_output=True, text=True, check=True)
    assert int(done.stdout) == pytest.approx(64 * MB, rel=0.05)
