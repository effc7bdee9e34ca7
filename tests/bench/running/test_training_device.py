"""Weights that a GPU has trained, for what runs on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import RequestError
from bench.core.progress import Bars, display
from bench.fleet.cargo import prepare
from bench.measuring.machine import processor
from bench.options.fleet import FleetOptions
from bench.options.run import RunOptions
from bench.report import conditions
from bench.results.machine import Machine
from bench.running import this_machine
from bench.running.plan import plan
from bench.storage import checkpoint
from bench.storage.checkpoint_store import CheckpointStore
from bench.studies.distill import distill
from bench.studies.train import train

GPU = "NVIDIA H200"
QUICK: dict[str, Any] = {"data": "synthetic", "progress": False, "epochs": 1}
MEASURED: dict[str, Any] = {"batch_sizes": 2, "runs": 1, "precision": 0.9, "spread_s": 0}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CheckpointStore:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path))
    return CheckpointStore.of_user()


def as_if_on_gpu(store: CheckpointStore, path: Path, **changes: str) -> None:
    """Put a checkpoint there under the name that the same training has on a GPU."""
    network, header = checkpoint.load(path)
    header = header.model_copy(update={"device": "cuda", "processor": GPU, **changes})
    checkpoint.save(store.path(header), network, header)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    describe = this_machine.describe

    def described(bars: Bars) -> Machine:
        return describe(bars).model_copy(update={"accelerators": []})

    monkeypatch.setattr(this_machine, "describe", described)


REFUSED: dict[str, Callable[..., object]] = {
    "run": lambda **asked: bench.run(models=["mnist/lab1", "cifar10/resnet8"], **asked, **MEASURED),
    "train": lambda **asked: train("mnist/lab1", **asked),
    "distill": lambda **asked: distill("mnist/lab1", **asked),
    "sensitivity": lambda **asked: bench.sensitivity("mnist/lab1", "range-linear:w4", **asked),
    "inspect": lambda **asked: bench.inspect("mnist/lab1", "bwn", **asked),
    "export": lambda **asked: bench.export("mnist/lab1", "lab1.packed", **asked),
}


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", REFUSED)
def test_without_a_gpu_what_is_not_trained_is_refused(
    name: str, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError) as caught:
        REFUSED[name](training_device="cuda", **QUICK)
    said = str(caught.value)
    assert "is to be trained on cuda, and this machine has no CUDA device" in said
    assert f"into {store.folder}, or train with --training-device cpu." in said
    assert ("more from a machine" in said) == (name in ("run", "distill"))


@pytest.mark.usefixtures("store", "no_gpu")
def test_what_is_to_be_trained_anew_can_come_from_nowhere() -> None:
    with pytest.raises(RequestError, match=r"torch can use; train with --training-device cpu\.$"):
        train("mnist/lab1", training_device="cuda", retrain=True, **QUICK)


def test_weights_of_a_gpu_are_measured_on_the_cpu(store: CheckpointStore) -> None:
    [plain] = train("mnist/lab1", training_precision="float32", **QUICK)
    as_if_on_gpu(store, plain.checkpoint)
    as_if_on_gpu(store, plain.checkpoint, precision="float16")
    run = bench.run(models="mnist/lab1", techniques="amp", training_device="cuda", **QUICK, **MEASURED)
    assert (run.settings.device, run.settings.training_device) == ("cpu", "cuda")
    assert [(one.device, one.processor) for one in run.trainings] == [("cuda", GPU), ("cuda", GPU)]
    fp32, amp = run.rows
    assert fp32.accuracy == plain.accuracy
    assert (amp.dtype, [note for note in amp.notes if "trained" in note]) == (
        "bfloat16",
        ["trained under autocast; weights are float32 and cast at each call"],
    )
    [[*_, time, _], _] = conditions.training(run).rows
    assert GPU in str(time)
    assert any("cuda" in map(str, row) for row in conditions.settings(run).rows)


def test_a_study_finds_them_too(store: CheckpointStore) -> None:
    [plain] = train("mnist/lab1", training_precision="float32", **QUICK)
    as_if_on_gpu(store, plain.checkpoint)
    found = bench.sensitivity("mnist/lab1", "range-linear:w4", training_device="cuda", **QUICK)
    assert [one.processor for one in found.run.trainings] == [GPU]


@pytest.mark.usefixtures("store")
def test_a_distillation_names_the_processors() -> None:
    result = distill("mnist/lab1", chain=[32, 2], seeds=0, sources="start", **QUICK)
    assert result.processors == [result.machine.cpu]


@pytest.mark.usefixtures("store")
def test_a_training_names_its_processor() -> None:
    [trained] = train("mnist/lab1", **QUICK)
    assert trained.processor == checkpoint.read_header(trained.checkpoint).processor == processor("cpu")


@pytest.mark.usefixtures("store")
def test_a_fleets_nodes_may_have_the_gpu_that_the_driver_lacks() -> None:
    spec = plan(RunOptions(models="mnist/lab1", device="cuda", **QUICK, **MEASURED))
    with Bars(display(False)).live() as bars:
        sent = prepare(spec, (), FleetOptions(out="fleet", **QUICK), bars)
    assert sent.request.checkpoints == {}, "the training failed here, and each node tries again"
    on_cpu = plan(RunOptions(models="mnist/lab1", training_device="cuda", **QUICK, **MEASURED))
    with Bars(display(False)).live() as bars, pytest.raises(RequestError, match="is to be trained on cuda"):
        prepare(on_cpu, (), FleetOptions(out="fleet", **QUICK), bars)


def test_a_fleet_trains_on_cpus_alone() -> None:
    with pytest.raises(RequestError, match="--fleet spreads trainings over CPU cores"):
        train("mnist/lab1", training_device="cuda", fleet="127.0.0.1:1", **QUICK)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(RequestError, match="--training-device tpu must be cpu or cuda"):
        train("mnist/lab1", training_device="tpu", **QUICK)  # type: ignore[arg-type]
