"""A runtime whose package is missing or old is a sentence with the way out."""

from __future__ import annotations

import pytest

from bench.runtimes.base import RUNTIMES
from bench.runtimes.graphs.packages import missing
from tests.bench.examples import RUN


@pytest.mark.parametrize(
    ("needed", "reason"),
    [
        ({"torch": "1.0"}, None),
        (
            {"torch": "1.0", "no-such-package": "1.0"},
            "no-such-package is not installed; pip install 'quantbench[extra]'",
        ),
        ({"pytest": "1000.0"}, " is older than 1000.0; pip install --upgrade 'quantbench[extra]'"),
    ],
)
def test_what_is_missing(needed: dict[str, str], reason: str | None) -> None:
    said = missing(needed, "extra")
    assert said is None if reason is None else said is not None and said.endswith(reason)


def test_a_runtime_that_is_not_installed_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.techniques.base import TECHNIQUES

    monkeypatch.setattr("bench.runtimes.onnxruntime.NEEDED", {"no-such-package": "1.0"})
    reason = RUNTIMES.get("onnxruntime").unsupported_reason(TECHNIQUES.get("fp32"), RUN.machine, "cpu", "fbgemm")
    assert reason == "no-such-package is not installed; pip install 'quantbench[onnxruntime]'"


def test_another_device_than_the_cpu_is_unsupported() -> None:
    from bench.techniques.base import TECHNIQUES

    reason = RUNTIMES.get("onnxruntime").unsupported_reason(TECHNIQUES.get("fp32"), RUN.machine, "cuda", "fbgemm")
    assert reason is not None
    assert "--device cpu" in reason


def test_runtimes_of_the_self_check_are_offered_to_nobody() -> None:
    offered = [runtime.name for runtime in RUNTIMES.offered()]
    assert offered[0] == "eager"
    assert "onnxruntime" in offered
    assert not {"again", "slower5", "slower10"} & set(offered)
    assert RUNTIMES.get("again").hidden
