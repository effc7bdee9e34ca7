"""A graph that was exported and cannot run is a reason, not a failed row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.runtimes.graphs.answers import require_answers
from tests.bench.runtimes.sources import mlp, source


class Constant:
    """Took the batch of its export for a constant."""

    input_dtype = "float32"

    def outputs(self, inputs: Inputs) -> Any:
        if inputs.batch_size != 1:
            raise RuntimeError("invalid indice found")

    def bind(self, inputs: Inputs) -> Any:
        raise NotImplementedError


def test_a_graph_that_cannot_run_is_a_reason(tmp_path: Path) -> None:
    made_of = source(mlp(), "fp32", tmp_path)
    with pytest.raises(UnsupportedError, match=r"openvino cannot execute the exported graph on a batch of 3: .*ind"):
        require_answers(Constant(), made_of, "openvino")
