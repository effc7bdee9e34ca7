"""What a run says of its data and of the weights that its rows share."""

from __future__ import annotations

from bench.results.provenance import Data, Training
from bench.running.suites import Selected
from bench.storage.checkpoint import Header
from bench.worker.messages import DatasetSummary


def data_of(dataset: DatasetSummary) -> Data:
    """Return where a task's data came from."""
    return Data(
        task=dataset.task,
        kind=dataset.identity.kind,
        fingerprint=dataset.identity.fingerprint,
        train_examples=dataset.train_examples,
        test_examples=dataset.test_examples,
        **dataset.description,
    )


def training_of(selected: Selected, header: Header) -> Training:
    """Return how a model's weights were trained."""
    return Training(
        model=selected.name,
        precision=header.precision,
        technique=header.technique,
        description=selected.spec.description,
        recipe=header.recipe,
        recipe_hash=header.recipe_hash,
        seed=header.seed,
        seconds=header.seconds,
        threads=header.threads,
        device=header.device,
        processor=header.processor,
        torch=header.torch,
    )
