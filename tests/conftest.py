"""Every test runs with a cache of its own and without a network."""

from __future__ import annotations

import socket
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]
if not entry_points(group="pytest11", name="quantbench"):  # a checkout that is tested without being installed
    pytest_plugins.append("bench.pytest_plugin.plugin")

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that tests share: stand-ins and checkpoints are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def sealed(shared_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point the cache and the data root away from the user's, and refuse every connection."""
    monkeypatch.setenv("QUANTBENCH_CACHE", str(shared_cache))
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
