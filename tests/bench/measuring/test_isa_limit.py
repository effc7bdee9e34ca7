"""``--isa avx2``: libraries behave as on a CPU of AVX2 alone, and the run says so wherever machines are named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cpuinfo
import pytest

import bench
from bench.comparing.comparability import obstacles
from bench.core.errors import RequestError
from bench.measuring.isa_limit import AVX2, VARIABLES, limited
from bench.report import machines, markdown
from bench.report.command import command
from bench.results.isa import int8_sums_saturate
from bench.results.run import Run
from tests.bench.examples import MACHINE, QINT8, RUN
from tests.repository import ROOT

has_avx2 = sys.platform == "linux" and {"avx2", "fma", "f16c"} <= set(cpuinfo.get_cpu_info().get("flags", ()))
needs_avx2 = pytest.mark.skipif(not has_avx2, reason="there is no AVX2 here")
LIMITED = MACHINE.model_copy(update={"isa": ["AVX2", "FMA", "F16C"], "isa_limit": AVX2})
SATURATION = """
import torch
torch.backends.quantized.engine = "fbgemm"
inputs = torch.quantize_per_tensor(torch.full((1, 64), 255.0), 1.0, 0, torch.quint8)
weight = torch.quantize_per_tensor(torch.full((1, 64), 127.0), 1.0, 0, torch.qint8)
packed = torch.ops.quantized.linear_prepack(weight, None)
output = torch.ops.quantized.linear(inputs, packed, 64 * 255 * 127 / 255.0, 0)
print(torch.backends.cpu.get_cpu_capability(), output.int_repr().item())
"""
"""Pairs of products are 64,770, which 16 bits do not hold; the exact sum comes back as 255."""


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", *(("-c", code) if code else ("-m", "bench")), *arguments]
    return subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


@needs_avx2
def test_torch_and_fbgemm_heed_the_limit() -> None:
    capability, sum_ = python(SATURATION, **VARIABLES[AVX2]).stdout.split()
    assert capability == "AVX2"
    assert int(sum_) < 255, "pairs of int8 products are summed in 16 bits, and saturate"


@needs_avx2
@pytest.mark.slow
def test_a_limited_run_says_so_and_leaves_out_what_cannot_be_limited(tmp_path: Path) -> None:
    request = "--model mnist/lab1 --technique dynamic-qint8 --runtime eager --runtime onnxruntime --data synthetic"
    options = f"{request} --epochs 1 --batch 1 --precision 90% --spread 0 --isa avx2 --out"
    done = python("", "run", *options.split(), str(tmp_path))
    assert done.returncode == 0, done.stderr
    run = bench.load_run(tmp_path / "run.json")
    assert set(run.machine.isa) == {"AVX2", "FMA", "F16C"}
    assert run.machine.isa_limit == run.settings.isa_limit == AVX2
    assert "--isa avx2" in run.notes[0]
    reasons = {row.runtime: row.reason for row in run.rows if row.status == "unsupported"}
    assert "cannot be kept from newer instructions" in reasons["onnxruntime"]


def test_the_machine_keeps_what_is_within_the_limit() -> None:
    machine = MACHINE.model_copy(update={"isa": ["AVX2", "FMA", "F16C", "AVX512-VNNI", "AVX512-BF16", "AMX"]})
    if sys.platform == "linux":
        assert limited(machine, AVX2).isa == ["AVX2", "FMA", "F16C"]
        assert int8_sums_saturate(limited(machine, AVX2).isa)


@pytest.mark.skipif(sys.platform != "linux", reason="another refusal elsewhere")
def test_a_cpu_without_so_much_is_refused() -> None:
    with pytest.raises(RequestError, match="this CPU has no AVX2 and no F16C and no FMA"):
        limited(MACHINE.model_copy(update={"isa": ["NEON"]}), AVX2)


@pytest.mark.parametrize(
    "render",
    [
        lambda run: markdown.render([run]),
        lambda run: machines.render(bench.compare(run, RUN)),
    ],
)
def test_reports_name_the_limit(render: Callable[[Run], str]) -> None:
    assert "(limited by --isa avx2)" in render(RUN.model_copy(update={"machine": LIMITED}))


def test_a_limited_machine_is_another_machine() -> None:
    real = RUN.model_copy(update={"machine": LIMITED.model_copy(update={"isa_limit": ""})})
    [reason] = obstacles(real, RUN.model_copy(update={"machine": LIMITED}))
    assert "limit of instruction sets none and avx2" in reason


def test_the_command_that_measures_again_has_the_limit() -> None:
    settings = RUN.settings.model_copy(update={"isa_limit": AVX2})
    assert "--isa avx2" in command(RUN.model_copy(update={"settings": settings}), QINT8)
