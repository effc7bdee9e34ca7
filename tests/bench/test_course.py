"""The programs of docs/course.md, run as the page has them."""

from __future__ import annotations

import argparse
import pickle
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.core.errors import CheckpointError
from bench.models import PreActResNet
from bench.techniques import binaryconnect
from bench.techniques.lowbit.layers import LowBitLayer
from tests.repository import ROOT

PAGE = (ROOT / "docs/course.md").read_text(encoding="utf-8")
SHIPPED = next((ROOT / "bench/storage/shipped").glob("cifar10-resnet8-*.safetensors"))


def program(name: str) -> str:
    """Return the program that mentions a name."""
    [found] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if name in block]
    return found


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "a course's program"}
    exec(compile(text, "a course's program", "exec"), names)  # noqa: S102 — ours
    return names


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 200


def test_the_training_loop_learns_with_binary_weights(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    names = run(program("BC(mymodel)"))
    assert names["right"] > 0.85 * 2048
    assert capsys.readouterr().out.count("right with binary weights") == 3
    assert all(weight.abs().max() <= 1 for weight in names["mymodelbc"].target_modules)


def test_the_course_finds_the_class_where_the_technique_is() -> None:
    assert binaryconnect.BC is bench.BC
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        binaryconnect.nonsense  # noqa: B018


def test_a_quantized_network_goes_into_a_loop_of_ones_own() -> None:
    names = run(program('TECHNIQUES.get("dorefa:w4a4")'))
    low_bit = [module for module in names["network"].modules() if isinstance(module, LowBitLayer)]
    assert len(low_bit) == len(names["after_step"]) == 6  # two of each of three blocks
    for hook in names["after_step"]:
        hook()


def test_a_checkpoint_of_quantbench_is_loaded_with_its_hyperparameters(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(program("bench.load_checkpoint"))
    assert names["training"].hyperparameters == {"depth": 8, "classes": 10}
    assert isinstance(names["network"], PreActResNet)
    assert not names["network"].training
    assert "float32" in capsys.readouterr().out
    assert bench.load_checkpoint(str(SHIPPED)).training == names["training"]


@pytest.mark.parametrize("damage", [slice(0, 1000), slice(0, 0)], ids=["truncated", "empty"])
def test_what_is_no_checkpoint_is_refused_with_another_way_out_than_to_delete_it(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(SHIPPED.read_bytes()[damage])
    with pytest.raises(CheckpointError, match=r"mine\.safetensors is truncated or damaged .*; name another\.$"):
        bench.load_checkpoint(path)


def test_ones_own_checkpoint_is_reloaded_without_running_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved = run(program("torch.save("))["model"]
    (tmp_path / "mine.py").write_text(program("# mine.py"), encoding="utf-8")
    mine = runpy.run_path("mine.py")
    reloaded = mine["build"]()
    assert all(torch.equal(value, reloaded.state_dict()[name]) for name, value in saved.state_dict().items())
    images = mine["inputs"](2)
    assert torch.equal(reloaded.eval()(images), saved.eval()(images))
    torch.save({"net": saved.state_dict(), "hyperparam": argparse.Namespace(depth=8, classes=10)}, "mybestmodel.pth")
    with pytest.raises(pickle.UnpicklingError, match="Namespace"):
        mine["build"]()
