"""Run files: saved, and read with care, since they come from strangers too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bench.core.errors import RequestError, RunFileError
from bench.core.files import write_atomically
from bench.results import pytest_benchmark_file
from bench.results.bounds import first_fault, shortened
from bench.results.run import READABLE, SCHEMA_VERSION, Run

LARGEST_FILE: Final = 2**25
"""Bytes; forty times what the longest run of ours takes."""
MOST_CONTAINERS: Final = 2**20
"""Lists and objects; a parser takes up to a hundred times the memory of the two characters that an empty one is."""


def save(run: Run, path: Path) -> None:
    """Write the run file atomically: a reader sees the old one or the new one, never a part."""
    write_atomically(path, run.model_dump_json(indent=1) + "\n")


def load(path: Path) -> Run:
    """Read a run file, or a file of pytest-benchmark as one; raises ``RunFileError`` saying what is wrong with it."""
    content = _content(path)
    if pytest_benchmark_file.is_benchmark_file(content):
        return pytest_benchmark_file.read(content, path)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version is None:
        raise RunFileError(
            f"{path} is not a run file: it has no schema_version; name a run.json that 'bench run' wrote."
        )
    if "layers" in content:
        raise RunFileError(
            f"{path} is a study that 'bench sensitivity' wrote, and no run; its page lies beside it, "
            f"{path.with_suffix('.md').name}."
        )
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RunFileError(
            f"{path} has schema version {shortened(version)}, newer than the {SCHEMA_VERSION} that this "
            f"quantbench reads; update quantbench."
        )
    if version not in READABLE:
        raise RunFileError(
            f"{path} has schema version {shortened(version)} and this quantbench reads {READABLE[0]} to "
            f"{READABLE[-1]}; render it with the version that wrote it, or measure again."
        )
    try:
        return Run.model_validate(content)
    except ValidationError as error:
        raise RunFileError(f"{path} {_what_is_wrong(error, content)}.") from error


def _content(path: Path) -> Any:
    """Return the JSON of a file, no more of which is read than a run file may have."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1)  # no more: a device has no end
        if len(text) > LARGEST_FILE:
            raise RunFileError(
                f"{path} is longer than {LARGEST_FILE >> 20} MiB, and no run file is; name a run.json that 'bench run' "
                f"wrote."
            )
        if text.count(b"[") + text.count(b"{") > MOST_CONTAINERS:
            raise RunFileError(
                f"{path} holds more than {MOST_CONTAINERS:,} lists and objects, and no run file does; name a run.json "
                f"that 'bench run' wrote."
            )
        return json.loads(text.decode())
    except IsADirectoryError as error:
        raise RunFileError(f"{path} is a folder; name the file in it, such as {path / 'run.json'}.") from error
    except OSError as error:
        raise RunFileError(
            f"{path} cannot be read ({error.strerror}); name a run.json that 'bench run' wrote."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RunFileError(
            f"{path} is not a run file, or a truncated one ({shortened(error)}); measure again."
        ) from error


def _what_is_wrong(error: ValidationError, content: dict[str, object]) -> str:
    """Say what does not fit, and what to do: a key that is not known was most likely written by a later version."""
    fault = first_fault(error)
    if not fault.of_later_version:
        return f"is not a valid run file: {fault}; measure again"
    return (
        f"was written by quantbench {shortened(content.get('quantbench', 'of an unknown version'))} and has a key that "
        f"this one, {metadata.version('quantbench')}, does not know, {fault.place}; update quantbench"
    )


def require_other_file(out: Path, run_files: Sequence[Path]) -> None:
    """Raise ``RequestError`` if what is to be written is one of the files that are read."""
    if out.exists() and any(path.samefile(out) for path in run_files):
        raise RequestError(f"--out {out} is the run file itself; name another file.")
