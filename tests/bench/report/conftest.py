"""A headless Chromium for the tests that open a page in one."""

from __future__ import annotations

import _socket
import os
import shutil
import socket
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # it is our own page, and CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_getaddrinfo = socket.getaddrinfo


def _connect_to_this_machine(self: socket.socket, address: tuple[str, int]) -> None:
    if address[0] not in ("127.0.0.1", "::1"):
        raise OSError("tests have no network")
    _socket.socket.connect(self, address)


@pytest.fixture
def loopback(sealed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open what all tests are sealed from as far as the driver, on this machine, needs it."""
    monkeypatch.setattr(socket.socket, "connect", _connect_to_this_machine)
    monkeypatch.setattr(socket, "getaddrinfo", _getaddrinfo)
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that notes what a page says to the console and asks of the network; tests need ``loopback`` too."""
    if not CHROMIUM or not DRIVER:
        missing = "no chromium and chromedriver in the path; on Debian: apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    proxies = {name: os.environ.pop(name) for name in ("http_proxy", "https_proxy") if name in os.environ}
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    os.environ.update(proxies)
    yield browser
    browser.quit()
