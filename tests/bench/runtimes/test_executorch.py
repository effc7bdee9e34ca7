"""ExecuTorch: batches of other sizes than its programs take; with the real one where somebody installed it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.runtimes.base import RUNTIMES
from bench.runtimes.executorch import TECHNIQUES_HERE, ExecuTorchExecutable
from bench.techniques.base import TECHNIQUES
from tests.bench.examples import RUN
from tests.bench.runtimes.sources import MODELS, answers, build, relative_error, rows, source

MOST = {"fp32": 1e-5, "dynamic-qint8": 0.1, "static-qint8": 0.15}


class Program:
    """Doubles batches of one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = torch.zeros(size, 2)

    def execute(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        assert len(inputs[0]) == self._size
        assert inputs[0].is_contiguous()
        self._memory.copy_(2 * inputs[0])  # the next run overwrites it
        return [self._memory]


EXECUTABLE = ExecuTorchExecutable({1: Program(1), 4: Program(4)})


@pytest.mark.parametrize("number", [1, 2, 4, 5, 12])
def test_any_number_of_rows_is_answered_in_batches_of_the_size_that_a_program_takes(number: int) -> None:
    inputs = torch.arange(2.0 * number).reshape(2, number).T
    assert torch.equal(EXECUTABLE.outputs(Inputs.of(inputs)), 2 * inputs)


def test_a_batch_that_no_program_takes_is_not_timed() -> None:
    EXECUTABLE.bind(Inputs.of(torch.zeros(4, 2)))()
    with pytest.raises(UnsupportedError, match="take batches of 1, 4 rows, and none takes 3"):
        EXECUTABLE.bind(Inputs.of(torch.zeros(3, 2)))


def test_what_it_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = RUNTIMES.get("executorch")
    assert "fp32, dynamic-qint8, static-qint8 only" in str(runtime.lacks(TECHNIQUES.get("bf16")))
    monkeypatch.setattr("bench.runtimes.executorch.NEEDED", {"no-such-package": "1.0"})
    reason = runtime.unsupported_reason(TECHNIQUES.get("fp32"), RUN.machine, "cpu", "fbgemm")
    assert reason == "no-such-package is not installed; pip install 'quantbench[executorch]'"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("executorch") is None, reason="executorch is not installed")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("technique", TECHNIQUES_HERE)
def test_a_program_computes_what_the_model_does(tmp_path: Path, name: str, technique: str) -> None:
    given = dataclasses.replace(source(MODELS[name], technique, tmp_path), batch_sizes=(1, 16))
    built, path = build("executorch", given, tmp_path)
    assert built.file_bytes == (path / "1.pte").stat().st_size
    for number in (1, 16, 20):
        inputs = rows(MODELS[name], number)
        assert relative_error(answers(built, inputs), MODELS[name](inputs)) < MOST[technique]
