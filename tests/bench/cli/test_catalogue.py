"""``bench list`` says which technique is on which runtime, and why not."""

from __future__ import annotations

import re

import pytest

from bench.cli.catalogue import matrix
from bench.runtimes.base import RUNTIMES
from bench.techniques.base import TECHNIQUES
from tests.bench.conftest import Command


def test_the_matrix_has_a_reason_for_each_empty_cell() -> None:
    runtimes = list(RUNTIMES.offered())
    lines = matrix(list(TECHNIQUES), runtimes).splitlines()
    assert lines[0].split() == [runtime.name for runtime in runtimes]
    for technique in TECHNIQUES:
        name = technique.name.partition(":")[0]
        [cells] = [line.split()[1:] for line in lines if line.split()[0] == name]
        for runtime, cell in zip(runtimes, cells, strict=True):
            assert cell == ("-" if runtime.lacks(technique) else "yes")
            if cell == "-":
                reason = re.escape(str(runtime.lacks(technique)))
                said = re.compile(rf"  {runtime.name} has no .*\b{name}\b.*: {reason}\.")
                assert any(map(said.match, lines))


def test_the_list_says_what_this_machine_lacks(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runtimes.onnxruntime.NEEDED", {"no-such-package": "1.0"})
    code, out, _ = command("list")
    assert code == 0
    assert "no-such-package is not installed; pip install 'quantbench[onnxruntime]'" in out
    assert "again" not in out.partition("Runtimes")[2].split()


def test_a_runtime_that_is_not_there_is_refused_with_a_suggestion(command: Command) -> None:
    code, _, err = command("run", "--runtime", "onnx-runtime")
    assert code == 2
    assert "did you mean 'onnxruntime'?" in err
