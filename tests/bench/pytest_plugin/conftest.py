"""Sessions of pytest within tests of the fixture ``quantbench``."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest
import torch._dynamo  # noqa: F401 - torch cannot come twice, and what a session inside this one imports is forgotten

import bench.pytest_plugin.fixture
import bench.pytest_plugin.plugin
import bench.worker.preload  # noqa: F401 - likewise

PLUGIN = () if entry_points(group="pytest11", name="quantbench") else ("-p", "bench.pytest_plugin.plugin")
QUICK = ("--benchmark-max-time=0.005", "--benchmark-min-rounds=2")
HEAD = """
import pytest
import torch
from torch import nn


def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4))


INPUTS = torch.linspace(-1, 1, 20 * 32).reshape(20, 32)
LABELS = build()(INPUTS).argmax(1)


def right(predict):
    return int((predict(INPUTS).argmax(1) == LABELS).sum()), len(LABELS)

"""
EXAMPLE = (
    HEAD
    + """
@pytest.mark.parametrize("technique", ["fp32", "dynamic-qint8"])
def test_my_model(quantbench, technique):
    quantbench(build(), INPUTS, technique=technique, evaluate=right, name="mine")
"""
)

Session = Callable[..., pytest.RunResult]


@pytest.fixture
def session(pytester: pytest.Pytester) -> Session:
    """Run a file of tests; return the outcome."""

    def run(code: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(HEAD + code if "def build" not in code else code)
        return pytester.runpytest_inprocess(*PLUGIN, *arguments)

    return run


@pytest.fixture
def noted(session: Session, pytester: pytest.Pytester) -> Callable[[str], dict[str, Any]]:
    """Run a test and return what its benchmark has for extra_info."""

    def run(code: str) -> dict[str, Any]:
        session(code, *QUICK, "--benchmark-json=out.json").assert_outcomes(passed=1)
        content = json.loads((pytester.path / "out.json").read_text())
        info: dict[str, Any] = content["benchmarks"][0]["extra_info"]
        return info

    return run
