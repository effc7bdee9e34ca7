"""The process beside Ray that does a node's job, and may stay for the next one: what it has imported need not be again.

Like ``node_task`` it travels by value, and imports the standard library and what travels with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.tasks.temporary import temporary_folder

STRIPPED = ("RAY_", "OMP_NUM_THREADS", "PYTHONPATH", "PYTHONBREAKPOINT")
"""Beginnings of the variables that are Ray's."""
TAIL = 2000
"""Characters of a failed process's error output that become its reason."""
REFUSED = 2
"""The code of a request that makes no sense, or that failed with a sentence."""
UNFIT = 3
"""That of a node which must not do the job, and another may."""
KILLED = -9
"""Of a process that was sent SIGKILL, or that was lost otherwise: on another node it may end well."""

Event = dict[str, Any]
"""Has a ``kind``: facts, at, file or end."""
Child = tuple["subprocess.Popen[bytes]", Path, contextlib.ExitStack]
"""A process that carries out requests, one after the other, its folder, and what removes the folder. Ray kills its
workers and their children without a word: what is left of the folder then, the next job or command here removes."""

_kept: dict[tuple[str, str], Child] = {}
"""By module and package: they live as long as this process of Ray's does, which ends with the driver's job."""


def carry_out(job: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Event]:
    """Yield what a process says of ``job``, and the watched files that it changes; see ``node_task.work``."""
    kind = (job["module"], places[job["package"]])
    child = _kept.pop(kind, None)
    if child is not None and child[0].poll() is not None:  # it died while nobody needed it
        _end(child)
        child = None
    child = child or _started(*kind)
    sound = False
    try:
        for event in _answers(child, job, places):
            sound = event["kind"] == "end"
            yield event
    finally:
        if sound and job["resident"] and child[0].poll() is None:
            _kept[kind] = child
        else:
            _end(child)


def _started(module: str, package: str) -> Child:
    """Start a process without Ray's environment, which ends when this one does: it reads a pipe whose end is here."""
    held = contextlib.ExitStack()
    folder = held.enter_context(temporary_folder())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(STRIPPED)}
    environment["PYTHONPATH"] = package
    command = [sys.executable, "-m", module]
    pipe = subprocess.PIPE
    with _errors(folder).open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=errors)
    return process, folder, held


def _answers(child: Child, job: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Event]:
    """Hand the request over and yield what comes back; the last event is of kind ``end``."""
    process, folder, _ = child
    own = folder / "job"
    shutil.rmtree(own, ignore_errors=True)  # of the job before
    out = own / "out"
    out.mkdir(parents=True)
    sent: dict[str, bytes] = dict(job["files"])
    for name, content in sent.items():
        (out / name).write_bytes(content)
    request = folder / "request.json"
    request.write_text(json.dumps({**job["request"], "places": places, "folder": str(own)}))
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has ended already; why, is read below
            os.write(process.stdin.fileno(), f"{request}\n".encode())
    for line in process.stdout or ():
        event: Event = json.loads(line)
        yield from _changed(out, job["watched"], sent)
        yield event
        if event["kind"] == "end":
            return
    code = process.wait()
    yield from _changed(out, job["watched"], sent)
    yield {"kind": "end", "code": code, "reason": _reason(code, _errors(folder))}


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


def _end(child: Child) -> None:
    process, _, held = child
    process.kill()
    with held, process:  # closes its pipes and waits, before the folder goes
        pass


def _errors(folder: Path) -> Path:
    return folder / "errors.txt"


def _reason(code: int, errors: Path) -> str:
    """Return why a process ended before its job did."""
    if code == KILLED:
        return "its process was killed (SIGKILL), which is how a system that runs out of memory ends one"
    said = errors.read_text(errors="replace").strip()[-TAIL:].splitlines()
    return f"its process ended with code {code}" + (f" ({said[-1]})" if said else "")
