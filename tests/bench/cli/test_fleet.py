"""``bench fleet``: what is refused in a sentence before anything starts, and what ``status`` says."""

from __future__ import annotations

import builtins
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from bench.core.errors import RequestError
from bench.core.progress import Bars
from bench.fleet import cluster
from bench.fleet.folder import FleetFolder
from bench.results.fleet import NodeRecord
from tests.bench.conftest import Command
from tests.bench.fleet.plans import FLEET


def refused(command: Command, *arguments: str) -> str:
    code, out, err = command("fleet", *arguments)
    assert code == 2
    assert not out
    assert err.startswith("bench: ")
    assert err.count("\n") == 1
    return err


def test_without_ray_it_says_what_to_install(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "ray":
            raise ModuleNotFoundError("No module named 'ray'")
        return plain(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'quantbench[ray]'" in refused(command, "run", "--out", str(tmp_path))


@pytest.mark.parametrize("address", ["nowhere", "192.168.1.10:ray", ":6379"])
def test_an_address_is_host_and_port(command: Command, tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray")
    assert "must be auto or HOST:PORT" in refused(command, "run", "--address", address, "--out", str(tmp_path))


def test_an_address_that_nobody_answers_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray")

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    said = refused(command, "run", "--address", "127.0.0.1:6379", "--out", str(tmp_path / "runs/fleet"))
    assert "--address 127.0.0.1:6379: no Ray answers there (Connection refused); start it on that machine" in said
    assert not list(tmp_path.iterdir()), "neither folder nor lock"


@pytest.mark.parametrize(
    ("answer", "fault"), [(b"\0\0\x0c\x04\0\0\0\0\0", ""), (b"HTTP/1.0 400", "another program does")]
)
def test_a_server_that_is_not_ray_is_told_from_it(monkeypatch: pytest.MonkeyPatch, answer: bytes, fault: str) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(answer)
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: ours)
    with theirs:
        assert cluster.silence("127.0.0.1:80") == fault


def test_a_folder_that_was_there_stays_without_a_lock(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(cluster, "silence", lambda address: "Connection refused")
    (tmp_path / "notes").write_text("precious")
    refused(command, "run", "--address", "127.0.0.1:6379", "--out", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_lock_stays_with_its_fleet(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path / "fleet")
    with folder.locked():
        folder.save(FLEET)
    assert folder.fleet() is not None
    assert not folder.has_driver()


def test_a_request_is_checked_before_a_cluster_is_looked_for(command: Command, tmp_path: Path) -> None:
    assert "there is no suite 'labb'" in refused(command, "run", "--suite", "labb", "--out", str(tmp_path))
    assert "--deadline 0 must be a positive number" in refused(command, "run", "--deadline", "0")


def test_a_folder_has_one_driver(command: Command, tmp_path: Path) -> None:
    with FleetFolder(tmp_path).locked():
        assert "another 'bench fleet run' is at work on" in refused(command, "run", "--out", str(tmp_path))


def test_a_folder_of_another_fleet_is_refused(command: Command, tmp_path: Path) -> None:
    FleetFolder(tmp_path).save(FLEET)
    said = refused(command, "run", "--model", "mnist/lab2", "--out", str(tmp_path))
    assert "models ['mnist/lab1'], now ['mnist/lab2']" in said
    assert "quantbench 1.0.0, now" in said


def test_a_damaged_record_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text("{}")
    assert "fleet.json is in the way" in refused(command, "run", "--out", str(tmp_path))


def test_a_folder_that_cannot_be_written_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(command, "run", "--out", str(tmp_path / "file"))


def test_status_says_what_each_node_is_at(command: Command, tmp_path: Path) -> None:
    nodes = [
        NodeRecord(name="server", state="running", at="time mnist/lab1", done=3, total=12, since="2026-01-02T03:04:05"),
        NodeRecord(name="laptop", state="failed", reason="the node died", rows=4),
    ]
    FleetFolder(tmp_path).save(FLEET.model_copy(update={"nodes": nodes}))
    code, out, _ = command("fleet", "status", "--out", str(tmp_path))
    assert code == 0
    [server, laptop] = [line for line in out.splitlines() if "server" in line or "laptop" in line]
    assert "time mnist/lab1" in server
    assert "3 of 12" in server
    assert "the node died" in laptop
    assert "No driver is at work" in out


def test_status_knows_whether_a_driver_is_at_work(command: Command, tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path)
    folder.save(FLEET.model_copy(update={"nodes": [NodeRecord(name="server", state="running")]}))
    with folder.locked():
        _, out, _ = command("fleet", "status", "--out", str(tmp_path))
    assert "No driver is at work" not in out


def test_status_of_another_folder_is_refused(command: Command, tmp_path: Path) -> None:
    assert "is not the folder of a fleet" in refused(command, "status", "--out", str(tmp_path))


def test_a_cluster_that_has_ended_does_not_hold_the_command_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    from ray._private import services

    asked: list[str] = []
    monkeypatch.setattr(services, "get_ray_address_from_environment", lambda address, folder: "127.0.0.1:1")
    stub = SimpleNamespace(init=lambda address, **options: asked.append(address))
    said: list[str] = []
    monkeypatch.setattr(Bars, "say", lambda self, line: said.append(line))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    cluster._connect_or_start(stub, {}, Bars("nothing"))
    assert asked == ["local"]
    assert "no Ray cluster was found" in said[0]
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(RequestError, match=r"RAY_ADDRESS is 127\.0\.0\.1:1, where no Ray answers"):
        cluster._connect_or_start(stub, {}, Bars("nothing"))


def test_status_needs_no_lock(command: Command, tmp_path: Path) -> None:
    FleetFolder(tmp_path).save(FLEET.model_copy(update={"nodes": [NodeRecord(name="server", state="running")]}))
    (tmp_path / ".fleet.lock").mkdir()  # cannot be taken, as in a folder that somebody else may write
    code, out, _ = command("fleet", "status", "--out", str(tmp_path))
    assert code == 0
    assert "server" in out


def test_a_look_at_the_lock_keeps_no_driver_out(tmp_path: Path) -> None:
    looks = FileLock(tmp_path / ".fleet.lock", thread_local=False)
    looks.acquire()
    threading.Timer(0.1, looks.release).start()
    with FleetFolder(tmp_path).locked():
        assert not looks.is_locked
