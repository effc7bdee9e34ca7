"""Latency of the models we supply, by technique and batch size, under pytest-benchmark.

    python -m pytest tests/benchmarks/test_latency.py --benchmark-enable --benchmark-json=latency.json
    bench report latency.json

The weights come from a short training on the synthetic stand-in, so the accuracies are the stand-in's. The options
``--bench-model``, ``--bench-technique`` and ``--bench-batch-size`` choose others than the few that are quick.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

from bench.measuring import accuracy
from bench.pytest_plugin.fixture import Predict, QuantBench
from bench.results.provenance import Data
from bench.tasks.dataset import Dataset
from bench.tasks.task import TASKS, ModelSpec, Task
from bench.tasks.training.loop import train

EVALUATION_BATCH = 250


def test_latency(quantbench: QuantBench, benchmark: Any, model: str, technique: str, batch_size: str) -> None:
    task, spec, dataset, network = trained(model)

    def evaluate(predict: Predict) -> tuple[int, int]:
        test = dataset.test
        parts = [test[index] for index in torch.split(torch.arange(len(test)), EVALUATION_BATCH)]
        found = accuracy.evaluate(predict, ((task.inputs(spec, part), part.labels) for part in parts)).accuracy
        assert found is not None
        return found.correct, found.total

    info = quantbench(
        network,
        task.inputs(spec, dataset.test[torch.arange(int(batch_size))]),
        technique=technique,
        evaluate=evaluate,
        calibrate=task.calibration(spec, dataset),
        name=model,
    )
    benchmark.extra_info["data"] = described(task, dataset).model_dump()
    benchmark.group = f"{model}, batch {batch_size}"
    assert info.accuracy is not None
    assert info.accuracy > 0.5


@functools.cache
def trained(model: str) -> tuple[Task, ModelSpec, Dataset, nn.Module]:
    """Return a supplied model, ``task/model``, with weights from a training on the stand-in."""
    task_name, _, name = model.partition("/")
    task = TASKS.get(task_name)
    dataset = task.load("synthetic", None)
    spec = task.resolve(next(spec for spec in task.models if spec.name == name), dataset)
    torch.manual_seed(0)
    form = task.training_form(spec, spec.build(), dataset.train)
    return task, spec, dataset, train(form, "float32", 0, torch.device("cpu")).network


def described(task: Task, dataset: Dataset) -> Data:
    """Return what tables say of the data."""
    return Data(
        task=task.name,
        kind=dataset.kind,
        fingerprint=dataset.fingerprint,
        train_examples=len(dataset.train),
        test_examples=len(dataset.test),
        **dataset.description,
    )
