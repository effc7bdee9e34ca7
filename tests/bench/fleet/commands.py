"""``bench fleet run`` on simulated machines, as tests start it and look at what it writes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.bench.fleet.ray_nodes import ENVIRONMENT
from tests.repository import ROOT

PATIENCE_S = 240.0
"""Of a test: it must end on a machine that is very busy, too."""
NET = """
import torch
from sizes import WIDTH

print("imported")

def small():
    return torch.nn.Linear(WIDTH, 4)

def wide():
    return torch.nn.Sequential(torch.nn.Linear(WIDTH, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))

def inputs(batch):
    return torch.ones(batch, WIDTH)
"""


class Nodes:
    """The simulated machines; see ``tests.bench.fleet.ray_nodes``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._line()

    def do(self, command: str, name: str) -> None:
        """Let something befall a node."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command} {name}\n")
        self._process.stdin.flush()
        assert self._line() == f"{command} {name}"

    def processes(self, module: str) -> set[int]:
        """Return the process ids of a module that nodes run."""
        below = psutil.Process(self._process.pid).children(recursive=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            return {process.pid for process in below if module in process.cmdline()}
        return set()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def environment(cache: Path) -> dict[str, str]:
    """The environment of every process of a fleet."""
    proxies = ("http_proxy", "https_proxy", "no_proxy")
    plain = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    return plain | ENVIRONMENT | {"QUANTBENCH_CACHE": str(cache), "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def simulated(arguments: Sequence[str], cache: Path) -> Iterator[Nodes]:
    """Start simulated machines for the time of a block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.fleet.ray_nodes", *arguments],
        cwd=ROOT,
        env=environment(cache),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Nodes(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


def request_of(folder: Path, models: Sequence[str]) -> list[str]:
    """Write a user's model into a folder and return what asks for a quick run of it."""
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    (folder / "sizes.py").write_text("WIDTH = 16\n")
    chosen = [f"--model={folder / 'net.py'}:{name}" for name in models]
    quick = ["--technique=fp32", "--batch=1", "--precision=90%", "--spread=0", "--budget=120"]
    return [*chosen, f"--inputs={folder / 'net.py'}:inputs", *quick]


def start(folder: Path, nodes: Nodes, arguments: list[str]) -> subprocess.Popen[str]:
    """Start ``bench fleet run`` with its results in ``out`` of a folder."""
    command = [sys.executable, "-m", "bench", "fleet", "run", *arguments]
    return subprocess.Popen(
        [*command, "--address", nodes.address, "--out", str(folder / "out")],
        cwd=folder,
        env=environment(folder / "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def states(folder: Path) -> dict[str, dict[str, Any]]:
    """What is known of the nodes, by name."""
    with contextlib.suppress(FileNotFoundError):
        return {node["name"]: node for node in json.loads((folder / "out" / "fleet.json").read_text())["nodes"]}
    return {}


def wait_for(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Wait until something is in the folder; the process that is to write it must be alive."""
    until = time.monotonic() + PATIENCE_S
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.1)
