from __future__ import annotations

import pytest
import torch

from bench.core.errors import RequestError
from bench.measuring import machine
from bench.results.isa import ISA_FLAGS
from tests.bench.examples import MACHINE


def test_this_machine_is_described() -> None:
    here = machine.describe()
    assert here.cpu
    assert here.logical_cores is not None
    assert here.memory_bytes is not None
    assert here.logical_cores >= machine.usable_cores() >= 1
    assert here.memory_bytes > 2**28
    assert here.torch == torch.__version__
    assert set(here.isa) <= set(ISA_FLAGS.values())


def test_an_engine_that_works_is_usable() -> None:
    supported = machine.supported_engines()
    if not supported:
        pytest.skip("this torch has no quantized engine")
    check = machine.check_engine(supported[-1])
    assert check.usable
    assert check.reason == "a quantized Linear ran and was right"


def test_an_engine_that_is_absent_comes_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "supported_engines", lambda: ["qnnpack"])
    check = machine.check_engine("fbgemm")
    assert not check.usable
    assert check.reason == "this torch was built without fbgemm (it has qnnpack)"
    assert "--engine qnnpack" in check.advice


def test_the_check_leaves_the_active_engine_as_it_was() -> None:
    before = torch.backends.quantized.engine
    machine.check_engine(machine.supported_engines()[-1])
    assert torch.backends.quantized.engine == before


def test_more_threads_than_cores_are_refused() -> None:
    with pytest.raises(RequestError, match=r"--threads \d+ is not between 1 and the \d+ cores"):
        machine.require_threads(machine.usable_cores() + 1)


@pytest.fixture
def quota_of_1_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "allowed_cores", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(machine, "cpu_quota", lambda: 1.5)


def test_more_threads_than_the_cpu_quota_are_refused(quota_of_1_5: None) -> None:
    machine.require_threads(1)
    with pytest.raises(
        RequestError, match=r"--threads 2 needs 2 cores, and the CPU quota here is 1.5; give --threads 1"
    ):
        machine.require_threads(2)
    with pytest.raises(RequestError, match="the 4 cores"):
        machine.require_threads(5)


def test_a_cpu_quota_limits_the_workers_and_is_recorded(quota_of_1_5: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.usable_cores() == 1
    assert machine.describe().cpu_quota == 1.5
    monkeypatch.setattr(machine, "cpu_quota", lambda: 0.5)
    assert machine.usable_cores() == 1, "one at least"
    machine.require_threads(1)


def test_an_absent_device_is_refused() -> None:
    machine.require_device("cpu", MACHINE)
    machine.require_device("cuda", MACHINE.model_copy(update={"accelerators": ["Example GPU"]}))
    with pytest.raises(RequestError, match="no CUDA device that torch can use; run with --device cpu"):
        machine.require_device("cuda", MACHINE)
    with pytest.raises(RequestError, match="unknown device 'npu'; choose cpu or cuda"):
        machine.require_device("npu", MACHINE)


def test_an_absent_engine_is_refused() -> None:
    assert machine.engine_of("fbgemm", MACHINE) == "fbgemm"
    with pytest.raises(RequestError, match="no quantized engine 'qnnpack'; choose from x86, fbgemm"):
        machine.engine_of("qnnpack", MACHINE)
