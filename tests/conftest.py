"""Every test runs with a cache of its own and without a network."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bench.core.progress import Bars
from bench.measuring.latency import affinity
from bench.measuring.topology import physical_cores
from bench.results.isa import VNNI
from bench.results.machine import Machine
from bench.running import latency, this_machine

# Before anything imports torch, in workers too: networks this small are not faster on several threads, and on a busy
# machine, where one of a team waits for its turn and the others spin, slower by a factor of fifty.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["pytester"]
if not entry_points(group="pytest11", name="quantbench"):  # a checkout that is tested without being installed
    pytest_plugins.append("bench.pytest_plugin.plugin")

# Neither a deadline nor a limit to how long drawing examples takes: both depend on what else the machine does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

WITHOUT_VNNI = bool(os.environ.get("QUANTBENCH_TEST_WITHOUT_VNNI"))
if WITHOUT_VNNI:
    # With ONEDNN_MAX_CPU_ISA=AVX2 and ATEN_CPU_CAPABILITY=avx2, which torch reads itself: a CPU of AVX2 alone.
    import torch

    torch.cpu._is_vnni_supported = lambda: False


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that tests share: stand-ins and checkpoints are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True, scope="session")
def bfloat16_cpu() -> Iterator[None]:
    """Let every run find a CPU with bfloat16 arithmetic, whatever it is; tests of the others inject theirs.

    Where a CPU without VNNI is emulated, none is found.
    """
    describe = this_machine.describe

    def described(bars: Bars) -> Machine:
        here = describe(bars)
        known = [name for name in here.isa if not (WITHOUT_VNNI and name in VNNI)]
        return here.model_copy(update={"isa": [*known, *{"AVX512-BF16"}.difference(known)]})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(this_machine, "describe", described)
        yield


@pytest.fixture(autouse=True, scope="session")
def restless() -> Iterator[None]:
    """Let no run rest between its passes: what tests hold it to does not depend on the machine's state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "rest", lambda seconds: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def cores_apart() -> Iterator[None]:
    """Let each of several pytest processes time on a core of its own: all would choose the same one."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

    def turned(cores: Collection[int], root: Path = affinity.ROOT) -> list[list[int]]:
        found = physical_cores(cores, root)
        first = number % len(found) if root == affinity.ROOT else 0  # elsewhere lies a machine of a test's own
        return found[first:] + found[:first]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(affinity, "physical_cores", turned)
        yield


@pytest.fixture(autouse=True)
def sealed(shared_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point the cache and the data root away from the user's, and refuse every connection."""
    monkeypatch.setenv("QUANTBENCH_CACHE", str(shared_cache))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # what a test runs with pytest is no worker's
    monkeypatch.setenv("QUANTBENCH_DATA", str(tmp_path / "no-data"))

    for proxy in ("http_proxy", "https_proxy"):  # worker processes see the environment, not the patches below
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    connect = socket.socket.connect

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("tests have no network")

    def connect_locally(self: socket.socket, address: str) -> None:
        if self.family != socket.AF_UNIX:
            refuse()
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
