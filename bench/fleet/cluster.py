"""The connection to a Ray cluster, or to a Ray of this machine alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.core.errors import RequestError
from bench.core.progress import Bars

AUTO = "auto"
CONNECT_S = 5.0
_SETTINGS = b"\x04"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5
"""What opens a connection of HTTP/2, which Ray speaks; the answer begins with a frame of settings (RFC 9113, 3.4)."""
_HEADER_BYTES = 9
LOCAL_STORE_BYTES = 200 * 10**6
"""Of a Ray that is started here: parcels that do not fit go to the disk."""
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing leaves the machine
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",  # of a Ray that is started here
}


@contextmanager
def connected(address: str, bars: Bars) -> Iterator[None]:
    """Be connected to the cluster at ``address`` within the block; raises ``RequestError`` where nobody answers."""
    os.environ.update(_ENVIRONMENT)
    ray = _ray()
    _let_the_driver_speak()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address == AUTO:
        _connect_or_start(ray, quiet, bars)
    else:
        _require_answer(address)
        _connect(ray, address, quiet)
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray sets its own
    try:
        yield
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise RequestError(
            f"a fleet runs on Ray, which cannot be imported ({error}); pip install 'quantbench[ray]'."
        ) from error
    return ray


def _let_the_driver_speak() -> None:
    """Keep off standard output what Ray says of a node that falls, in thirty lines: the driver says it in one."""
    from ray._private import worker

    worker.listen_error_messages = lambda *_: None


def _connect_or_start(ray: Any, quiet: dict[str, Any], bars: Bars) -> None:
    """Connect to the cluster that this machine is in, else start one; one that has ended may have left a trace."""
    address = _of_this_machine()
    if address is not None and (fault := silence(address)):
        if os.environ.get("RAY_ADDRESS"):
            raise RequestError(f"RAY_ADDRESS is {address}, where no Ray answers ({fault}); correct it, or unset it.")
        address = None
    if address is not None:
        _connect(ray, address, quiet)
    else:
        bars.say("no Ray cluster was found, so Ray is started here, with this machine as its only node")
        ray.init(address="local", include_dashboard=False, object_store_memory=LOCAL_STORE_BYTES, **quiet)


def _of_this_machine() -> str | None:
    """Return the address of the cluster that this machine is in, as ``ray.init("auto")`` finds it; ``None`` for none.

    Ray itself tries an address that nobody answers for minutes, so it is asked for the address first.
    """
    from ray._private.services import get_ray_address_from_environment

    try:
        address: str | None = get_ray_address_from_environment(AUTO, None)
    except ConnectionError:
        return None
    return address


def _connect(ray: Any, address: str, quiet: dict[str, Any]) -> None:
    """Connect; a loopback address is for nodes of this machine alone, which Ray must be told."""
    own = {"_node_ip_address": "127.0.0.1"} if _host(address) in ("127.0.0.1", "localhost") else {}
    try:
        ray.init(address=address, **own, **quiet)
    except ConnectionError:
        raise RequestError(
            f"--address {address}: the Ray there does not take this machine in; start Ray here first, with "
            f"'ray start --address={address}', and use --address auto."
        ) from None
    except (RuntimeError, ValueError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RequestError(f"--address {address} cannot be used ({line}); see docs/fleet.md.") from error


def _require_answer(address: str) -> None:
    """Raise ``RequestError`` if nobody listens there; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise RequestError(f"--address {address!r} must be auto or HOST:PORT; for example 192.168.1.10:6379.")
    if fault := silence(address):
        raise RequestError(
            f"--address {address}: no Ray answers there ({fault}); start it on that machine with 'ray start --head', "
            f"or correct the address."
        )


def silence(address: str) -> str:
    """Return why no Ray can be reached at ``HOST:PORT``; empty if one can."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_S) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return ""  # it speaks to nobody without a certificate
            connection.sendall(_GREETING)
            answer = connection.recv(_HEADER_BYTES)
    except (OSError, OverflowError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return "" if answer[3:4] == _SETTINGS else "another program does"


def _host(address: str) -> str:
    return address.rpartition(":")[0]
