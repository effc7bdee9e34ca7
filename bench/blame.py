"""What an exception in somebody's code was, and the line of that code: for sentences, in the place of a traceback."""

from __future__ import annotations

import linecache
import sys
import traceback
from pathlib import Path

NOT_TO_BLAME = ("torch", "bench", "importlib", "contextlib", "inspect", "safetensors", "cloudpickle", "multiprocessing")
"""Packages in whose files nobody looks for the cause."""


def told(error: BaseException) -> str:
    """Return ``ValueError: its message (net.py, line 14: `the line`)``, of the innermost line that is to blame."""
    message = next(iter(str(error).splitlines()), "") or "no message"
    place = _place(error)
    return f"{type(error).__name__}: {message.rstrip('.')}" + (f" ({place})" if place else "")


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return _line(error.filename, error.lineno)
    homes = tuple(_home(name) for name in NOT_TO_BLAME if name in sys.modules)
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        if not name.startswith(("<frozen", "<string", "<eval_with_key")) and not name.startswith(homes):
            return _line(name, number)
    return ""


def _home(package: str) -> str:
    path = Path(sys.modules[package].__file__ or "nowhere")
    return f"{path.parent}/" if path.name == "__init__.py" else str(path)


def _line(path: str, number: int) -> str:
    text = linecache.getline(path, number).strip()
    return f"{Path(path).name}, line {number}" + (f": `{text}`" if text else "")
