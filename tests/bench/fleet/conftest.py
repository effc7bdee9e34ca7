"""What tests of trainings on nodes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.options.studies import TrainOptions
from bench.running.model_session import ModelSession, model_session


@pytest.fixture(scope="module")
def session(shared_cache: Path) -> Iterator[ModelSession]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        options = TrainOptions("mnist/lab1", data="synthetic", epochs=1, progress=False)
        with model_session(options) as made:
            yield made
