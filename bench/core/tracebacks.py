"""What an exception in somebody's code was, and the line of that code: for sentences, in the place of a traceback."""

from __future__ import annotations

import linecache
import sys
import sysconfig
import traceback
from pathlib import Path

NOT_TO_BLAME = ("torch", "bench", "safetensors", "cloudpickle", "typing_extensions")
"""Packages in whose files nobody looks for the cause; nor in Python's own."""
INSTALLED = ("site-packages", "dist-packages")
"""Folders of what others wrote."""


def describe_exception(error: BaseException) -> str:
    """Return ``ValueError: its message (net.py, line 14: `the line`)``, of the innermost line that is to blame.

    That is the user's own; of an installed package, where none of the user's had a part in it.
    """
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    message = next(iter(text.splitlines()), "") or "no message"
    place = _place(error)
    return f"{type(error).__name__}: {message.rstrip('.')}" + (f" ({place})" if place else "")


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return _line(error.filename, error.lineno)
    generated = ("<frozen", "<string", "<eval_with_key")
    homes = tuple(_home(name) for name in NOT_TO_BLAME if name in sys.modules)
    lines = [
        (frame.f_code.co_filename, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith((*generated, *homes)) and not _is_pythons(frame.f_code.co_filename)
    ]
    users = [line for line in lines if not _is_installed(line[0])]
    return _line(*(users or lines)[-1]) if lines else ""


def _is_pythons(path: str) -> bool:
    return path.startswith(sysconfig.get_path("stdlib")) and not _is_installed(path)


def _is_installed(path: str) -> bool:
    return any(folder in INSTALLED for folder in Path(path).parts)


def _home(package: str) -> str:
    path = Path(sys.modules[package].__file__ or "nowhere")
    return f"{path.parent}/" if path.name == "__init__.py" else str(path)


def _line(path: str, number: int) -> str:
    text = linecache.getline(path, number).strip()
    return f"{Path(path).name}, line {number}" + (f": `{text}`" if text else "")
