"""What Ray executes on a node: it fetches files, starts a process beside Ray, and passes on what that says.

Only the standard library is imported, and the driver sends this module by value: the node may have another quantbench,
or none. Nothing is timed here. The run is a process without Ray's environment, since Ray gives its workers one thread,
a search path and a priority of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

STRIPPED = ("RAY_", "OMP_NUM_THREADS", "PYTHONPATH", "PYTHONBREAKPOINT")
"""Beginnings of the variables that are Ray's."""
TAIL = 2000
"""Characters of a failed run's error output that become its reason."""
REFUSED = 2
"""The exit code of a request that makes no sense."""
UNFIT = 3
"""That of a node which must not do the job, and another may."""
KILLED = -9
"""Of a process that was sent SIGKILL."""
RUNTIMES = ("onnxruntime", "openvino", "torchao")

Event = dict[str, Any]
"""Has a ``kind``: facts, at, file or end."""
Fetch = Callable[[str], bytes]
"""Returns the content of a parcel by its digest."""


def work(job: Mapping[str, Any], parcels: Mapping[str, bool], fetch: Fetch) -> Iterator[Event]:
    """Carry out ``job`` and yield what the driver must hear; ``parcels`` says by digest which ones are folders.

    A job has the ``module`` to run and its ``request``, the digest of the ``package``, ``files`` that are there at the
    beginning, the names of those that are ``watched``, and what is asked of the node. The last event is of kind
    ``end``, with the ``code`` of the process, if there was one, and a reason unless that is 0.
    """
    yield {"kind": "facts", **facts()}
    if reason := refusal(job["dependencies"], job["niceness"]):
        yield {"kind": "end", "code": None, "reason": reason}
        return
    yield {"kind": "at", "label": "fetch files", "done": 0, "total": len(parcels)}
    places = {digest: str(_keep(digest, folder, fetch)) for digest, folder in parcels.items()}
    with tempfile.TemporaryDirectory(prefix="quantbench-fleet-") as folder:
        yield from _run(job, places, Path(folder))


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


def _keep(digest: str, is_folder: bool, fetch: Fetch) -> Path:
    """Return where a parcel lies in the user's cache; it is fetched if it is not there."""
    named = os.environ.get("QUANTBENCH_CACHE")
    cache = (Path(named) if named else Path.home() / ".cache" / "quantbench") / "fleet"
    target = cache / digest
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = fetch(digest)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"what arrived as {digest} has another checksum")
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        made = Path(temporary) / "made"
        if is_folder:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(made)  # of the driver, whose code runs here anyway
        else:
            made.write_bytes(content)
        with contextlib.suppress(OSError):  # another task was faster
            made.replace(target)
    return target


def _run(job: Mapping[str, Any], places: Mapping[str, str], folder: Path) -> Iterator[Event]:
    """Run it as a process of its own, which ends when this one does: it reads a pipe whose other end is here."""
    out = folder / "out"
    out.mkdir()
    sent: dict[str, bytes] = dict(job["files"])
    for name, content in sent.items():
        (out / name).write_bytes(content)
    (folder / "request.json").write_text(json.dumps({**job["request"], "places": places, "folder": str(folder)}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(STRIPPED)}
    environment["PYTHONPATH"] = places[job["package"]]
    errors = folder / "errors.txt"
    command = [sys.executable, "-m", job["module"], str(folder / "request.json")]
    pipe = subprocess.PIPE
    with (
        errors.open("wb") as error_file,
        subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=error_file) as process,
    ):
        try:
            for line in process.stdout or ():
                yield json.loads(line)
                yield from _changed(out, job["watched"], sent)
            code = process.wait()
        finally:
            process.kill()
    yield from _changed(out, job["watched"], sent)
    yield {"kind": "end", "code": code, "reason": _reason(code, errors)}


def _changed(folder: Path, names: Sequence[str], sent: dict[str, bytes]) -> Iterator[Event]:
    """Yield the files that are others than those that were ``sent``; they are written whole or not at all."""
    for name in names:
        try:
            content = (folder / name).read_bytes()
        except OSError:
            continue
        if content != sent.get(name):
            sent[name] = content
            yield {"kind": "file", "name": name, "content": content}


def _reason(code: int, errors: Path) -> str:
    """Return why the run did not finish; empty if it did."""
    if code == 0:
        return ""
    if code == KILLED:
        return "its process was killed (SIGKILL), which is how a system that runs out of memory ends one"
    said = errors.read_text(errors="replace").strip()[-TAIL:].splitlines()
    if code in (REFUSED, UNFIT) and said:
        return said[-1].removeprefix("bench: ")
    return f"its process ended with code {code}" + (f" ({said[-1]})" if said else "")
