"""A model for which memory does not suffice, on machines whose free memory we make up: nothing large is allocated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.core.errors import UserModelError
from bench.worker import user_host
from bench.worker.user.callables import FilePart
from bench.worker.user.memory import COPIES, shortage, variants_at_once
from bench.worker.user.model import UserModel
from bench.worker.user_host import UserHost
from tests.repository import ROOT

GIB = 2**30
MACHINE = """
from pathlib import Path

import psutil

genuine, tried = psutil.virtual_memory, Path(__file__).with_name("tried")
psutil.virtual_memory = lambda: genuine()._replace(available=20 if tried.exists() else 10**9)
"""
NET = """
from pathlib import Path

import torch
from torch import nn

def build():
    return nn.Linear(4, 3)

def inputs(batch_size):
    Path(__file__).with_name("tried").touch()
    return torch.rand(batch_size, 4)
"""
HUGE = """
import torch
from torch import nn

def build():
    model = nn.Linear(4, 3)
    model.weight = nn.Parameter(torch.zeros(1).expand(2**29), requires_grad=False)  # 2 GiB to count, four bytes to hold
    return model

def inputs(batch_size):
    return torch.rand(batch_size, 4)
"""


@pytest.mark.parametrize(("free", "short"), [(4 * GIB, False), (4 * GIB - 1, True), (0, True)])
def test_a_variant_takes_twice_the_weights(free: int, short: bool) -> None:
    assert (shortage(2 * GIB, free) is not None) == short


@pytest.mark.parametrize(
    ("weights", "free", "at_once"),
    [(0, 0, 4), (1, 11, 4), (1, 10, 1), (GIB, 12 * GIB, 4), (2 * GIB, 12 * GIB, 1)],
)
def test_variants_that_may_not_all_fit_are_made_one_at_a_time(weights: int, free: int, at_once: int) -> None:
    assert variants_at_once(most=4, variants=7, weight_bytes=weights, free_bytes=free) == at_once


def test_a_model_that_is_too_large_is_a_sentence_with_both_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "huge.py"
    file.write_text(HUGE)
    monkeypatch.setattr(user_host, "free_memory_bytes", lambda: GIB)
    definition = UserModel("huge", "build", FilePart(file, "build"), FilePart(file, "inputs"))
    with pytest.raises(UserModelError) as caught:
        UserHost(lambda done, total: None).take_on(definition, tmp_path / "examples", [1], seed=0, threads=1)
    figures = re.findall(r"[\d.]+ GiB", str(caught.value))
    assert figures == [f"{2 * COPIES:.1f} GiB", "3.0 GiB"], "what is needed, and what is free once this process ends"


@pytest.mark.parametrize(("scarce_from_the_start", "code"), [(True, 2), (False, 1)])
def test_the_command_refuses_the_model_or_makes_rows_with_the_reason(
    scarce_from_the_start: bool, code: int, tmp_path: Path
) -> None:
    """On a machine that has 20 bytes left as soon as there is a file ``tried``, which making inputs writes."""
    (tmp_path / "sitecustomize.py").write_text(MACHINE)
    file = tmp_path / "net.py"
    file.write_text(NET)
    if scarce_from_the_start:
        (tmp_path / "tried").touch()
    named = [f"--model={file}:build", f"--inputs={file}:inputs", f"--out={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", *named, "--technique=bf16", "--batch=2", "--runs=1", "--precision=90%"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    if scarce_from_the_start:
        assert "GiB are free" in done.stderr
        return
    rows = bench.load_run(tmp_path / "run/run.json").rows
    assert [row.status for row in rows] == ["failed", "failed"]
    assert all("GiB are free beside the other variants" in row.reason for row in rows)
