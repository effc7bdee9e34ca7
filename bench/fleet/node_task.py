"""What Ray executes on a node: it fetches files, has a process beside Ray do the job, and passes on what that says.

Only the standard library is imported, and what the driver sends by value, as it does this module: the node may have
another quantbench, or none. Nothing is timed here. The job is done by a process without Ray's environment, since Ray
gives its workers one thread, a search path and a priority of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.fleet.node_child import Event, carry_out
from bench.tasks.temporary import temporary_folder

RUNTIMES = ("onnxruntime", "openvino", "torchao")

Fetch = Callable[[str], bytes]
"""Returns the content of a parcel by its digest."""


def work(job: Mapping[str, Any], parcels: Mapping[str, bool], fetch: Fetch) -> Iterator[Event]:
    """Carry out ``job`` and yield what the driver must hear; ``parcels`` says by digest which ones are folders.

    A job has the ``module`` to run and its ``request``, the digest of the ``package``, ``files`` that are there at the
    beginning, the names of those that are ``watched``, whether its process is ``resident``, which is to stay for
    further jobs, and what is asked of the node. The last event is of kind ``end``, with a ``code`` of ``node_child``
    or of the process, if there was one, and a reason unless that is 0.
    """
    yield {"kind": "facts", **facts()}
    if reason := refusal(job["dependencies"], job["niceness"]):
        yield {"kind": "end", "code": None, "reason": reason}
        return
    yield {"kind": "at", "label": "fetch files", "done": 0, "total": len(parcels)}
    try:
        places = {digest: str(_keep(digest, folder, fetch)) for digest, folder in parcels.items()}
    except OSError as error:
        yield {"kind": "end", "code": None, "reason": _unwritable(error)}
        return
    yield from carry_out(job, places)


def facts() -> Event:
    """Return what is noted of a node beside its run file."""
    versions = {name: _version(name) for name in ("torch", "quantbench", *RUNTIMES)}
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "versions": {name: version for name, version in versions.items() if version},
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "niceness": _niceness(),
    }


def refusal(dependencies: Sequence[str], niceness: int) -> str:
    """Return why nothing can be measured here; empty if it can. ``niceness`` is the driver's own."""
    missing = [name for name in dependencies if _version(name) is None]
    if missing:
        return f"its Python lacks {', '.join(missing)}; install quantbench there, and start Ray with that Python"
    if (here := _niceness()) > max(0, niceness):
        return (
            f"Ray runs its workers at niceness {here} there, and what is measured would wait for every other process; "
            f"start Ray there with 'RAY_worker_niceness=0 ray start …'"
        )
    return ""


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cache() -> Path:
    named = os.environ.get("QUANTBENCH_CACHE")
    return (Path(named) if named else Path.home() / ".cache" / "quantbench") / "fleet"


def _unwritable(error: OSError) -> str:
    return (
        f"its cache {_cache()} cannot be written ({error.strerror}); mend that, or start Ray there with another "
        f"QUANTBENCH_CACHE"
    )


def _keep(digest: str, is_folder: bool, fetch: Fetch) -> Path:
    """Return where a parcel lies in the user's cache; it is fetched if it is not there."""
    cache = _cache()
    target = cache / digest
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = fetch(digest)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"what arrived as {digest} has another checksum")
    with temporary_folder(cache) as folder:
        made = folder / "made"
        if is_folder:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(made)  # of the driver, whose code runs here anyway
        else:
            made.write_bytes(content)
        with contextlib.suppress(OSError):  # another task was faster
            made.replace(target)
    return target
