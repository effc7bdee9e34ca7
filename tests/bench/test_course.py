"""What a course's students write themselves: the training loops and checkpoints of docs/, run as they are there."""

from __future__ import annotations

import argparse
import pickle
import re
import runpy
import shutil
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

EXAMPLES = ROOT / "docs/examples"
SHIPPED = next((ROOT / "bench/storage/shipped").glob("cifar10-resnet8-*.safetensors"))


def test_the_training_loop_learns_with_binary_weights(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(EXAMPLES / "binaryconnect.py"), run_name="__main__")
    shares = [float(share) for share in re.findall(r"([\d.]+)% right with binary weights", capsys.readouterr().out)]
    assert len(shares) == 3
    assert shares[-1] > 85
    trained = names["train"](epochs=1)
    assert all(weight.abs().max() <= 1 for weight in trained.target_modules)
    assert any(weight.abs().unique().numel() > 2 for weight in trained.target_modules), "real weights, not signs"


def test_the_course_finds_the_class_where_the_technique_is() -> None:
    assert binaryconnect.BC is bench.BC
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        binaryconnect.nonsense  # noqa: B018


def test_a_quantized_network_goes_into_a_loop_of_ones_own() -> None:
    page = (ROOT / "docs/techniques.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "a program of the page", "exec"), names)  # noqa: S102 — ours
    low_bit = [module for module in names["network"].modules() if isinstance(module, LowBitLayer)]
    assert len(low_bit) == 6  # two of each of three blocks
    for layer in low_bit:
        layer.after_step()


def test_a_checkpoint_of_quantbench_is_loaded_with_its_hyperparameters() -> None:
    network, training = bench.load_checkpoint(str(SHIPPED))
    assert training.hyperparameters == {"depth": 8, "classes": 10}
    assert isinstance(network, PreActResNet)
    assert not network.training
    assert bench.load_checkpoint(SHIPPED).training == training


@pytest.mark.parametrize("damage", [slice(0, 1000), slice(0, 0)], ids=["truncated", "empty"])
def test_what_is_no_checkpoint_is_refused_with_another_way_out_than_to_delete_it(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(SHIPPED.read_bytes()[damage])
    with pytest.raises(CheckpointError, match=r"mine\.safetensors is truncated or damaged .*; name another\.$"):
        bench.load_checkpoint(path)


def test_a_file_of_another_networks_weights_is_no_reason_to_delete_it(tmp_path: Path) -> None:
    from bench.storage import checkpoint

    _, training = bench.load_checkpoint(SHIPPED)
    checkpoint.save(tmp_path / "mine.safetensors", PreActResNet(14, 10), training)
    with pytest.raises(CheckpointError, match=r"does not fit the network it names .*; name another\.$"):
        bench.load_checkpoint(tmp_path / "mine.safetensors")


def test_ones_own_checkpoint_is_reloaded_without_running_what_is_in_it(tmp_path: Path) -> None:
    file = str(shutil.copy(EXAMPLES / "checkpoint.py", tmp_path))
    saved = runpy.run_path(file, run_name="__main__")["net"].eval()
    example = runpy.run_path(file)
    reloaded = example["build"]().eval()
    images = example["inputs"](2)
    assert torch.equal(reloaded(images), saved(images))
    hyperparam = argparse.Namespace(depth=8, classes=10)
    torch.save({"net": saved.state_dict(), "hyperparam": hyperparam}, example["CHECKPOINT"])
    with pytest.raises(pickle.UnpicklingError, match="Namespace"):
        example["build"]()
