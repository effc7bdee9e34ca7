"""Weights that a GPU has trained, for what runs on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import RequestError
from bench.core.progress import Bars
from bench.report import conditions
from bench.results.machine import Machine
from bench.running import this_machine
from bench.running.training_precision import PrecisionPolicy
from bench.storage import checkpoint
from bench.storage.checkpoint_store import CheckpointStore
from bench.studies.distill import distill
from bench.studies.train import train

GPU = "NVIDIA H200"
QUICK: dict[str, Any] = {"data": "synthetic", "progress": False, "epochs": 1}
MEASURED: dict[str, Any] = {"batch_sizes": 2, "runs": 1, "precision": 0.9}


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


@pytest.mark.usefixtures("store", "no_gpu")
def test_without_a_gpu_what_is_not_trained_is_refused() -> None:
    with pytest.raises(RequestError, match=r"mnist/lab1 is to be trained on cuda.* no CUDA device .*seed0-.*cpu\.$"):
        bench.run(models="mnist/lab1", training_device="cuda", **QUICK, **MEASURED)


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
    [processor] = result.processors
    assert processor in (result.machine.cpu, *result.machine.accelerators)


def test_a_fleet_trains_on_cpus_alone() -> None:
    with pytest.raises(RequestError, match="--fleet spreads trainings over CPU cores"):
        train("mnist/lab1", training_device="cuda", fleet="127.0.0.1:1", **QUICK)


def test_the_gpu_decides_the_precision_and_not_the_cpu() -> None:
    assert PrecisionPolicy("cuda", ["AVX2"]).precision("bfloat16") == "bfloat16"


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(RequestError, match="--training-device tpu must be cpu or cuda"):
        train("mnist/lab1", training_device="tpu", **QUICK)


def test_a_checkpoint_names_the_processor(store: CheckpointStore) -> None:
    [trained] = train("mnist/lab1", **QUICK)
    assert checkpoint.read_header(trained.checkpoint).processor
