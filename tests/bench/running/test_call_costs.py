"""What a call that does nothing takes is measured where several runtimes are compared, with the real ones."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.core.progress import Bars
from bench.results.row import Row
from bench.running.call_costs import call_costs
from tests.bench.examples import RUN

ROW = RUN.rows[0]
SETTINGS = RUN.settings.model_copy(update={"pinned_cores": [], "threads": 1, "device": "cpu"})
HERE = [name for name in ("onnxruntime", "openvino") if find_spec(name)]


def row(runtime: str, status: str = "ok") -> Row:
    return ROW.model_copy(update={"runtime": runtime, "status": status})


def costs(folder: Path, *rows: Row) -> dict[str, float]:
    return call_costs(rows, SETTINGS, RUN.machine, folder, Bars("nothing"))


@pytest.mark.slow
@pytest.mark.skipif(not HERE, reason="no other runtime is installed")
def test_each_runtime_with_rows_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    known = costs(tmp_path, row("eager"), *map(row, HERE), row("inductor", "unsupported"))
    assert list(known) == ["eager", *HERE]
    assert all(0 < cost_s < 0.1 for cost_s in known.values())


def test_one_runtime_is_compared_with_none(tmp_path: Path) -> None:
    assert costs(tmp_path, row("eager"), row("eager")) == {}
    assert costs(tmp_path, row("eager"), row("onnxruntime", "failed")) == {}
    assert costs(tmp_path, row("eager"), row("again")) == {}, "that is the self-check's"


def test_a_runtime_that_cannot_take_such_a_model_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.core.errors import UnsupportedError

    def refuse(method: str, request: object, timeout_s: float) -> float:
        if getattr(request, "runtime", "") == "openvino":
            raise UnsupportedError("not this one")
        return 1e-6

    monkeypatch.setattr("bench.running.call_costs._in_a_process", refuse)
    assert costs(tmp_path, row("eager"), row("openvino"), row("onnxruntime")) == {"eager": 1e-6, "onnxruntime": 1e-6}
