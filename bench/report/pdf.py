"""The HTML page on paper, printed by a Chromium of this machine: it draws the page as a browser does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bench.core.errors import RequestError
from bench.core.files import require_writable, write_bytes_atomically
from bench.tasks.temporary import temporary_folder

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What Chromium and Chrome are called; the first that is in the path prints."""
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
)
TIMEOUT_S = 120.0
"""A page of many pictures takes a few seconds."""
INSTEAD = "open the page of --html in a browser and print that"


def browser() -> str:
    """Return what prints; raises ``RequestError`` where there is none."""
    path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if path is None:
        raise RequestError(
            f"--pdf must have Chromium or Chrome to print with, and the path has none of {', '.join(BROWSERS)}; "
            f"install one, or {INSTEAD}."
        )
    return path


def write(page: str, out: Path, printer: str) -> None:
    """Print a page to ``out``, which appears whole or not at all; raises ``RequestError`` if that fails."""
    require_writable(out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the file, because a browser that is confined, as a snap is, cannot see the system's temporary folder.
    with temporary_folder(out.parent) as beside:
        folder = beside.resolve()
        (folder / "page.html").write_text(page, encoding="utf-8")
        trouble = _print(printer, folder)
        printed = folder / "page.pdf"
        content = printed.read_bytes() if printed.exists() else b""
        if not content.startswith(b"%PDF"):
            raise RequestError(f"{printer} could not print {out} ({trouble}); {INSTEAD}.")
    write_bytes_atomically(out, content)


def _print(printer: str, folder: Path) -> str:
    """Let the browser print; return what went wrong if it did not."""
    # Chromium refuses its sandbox to root. The page is ours: its policy allows no script but our own, and no request.
    unconfined = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    profile, out = f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={folder / 'page.pdf'}"
    log = folder / "log"
    try:
        with log.open("wb") as stderr:  # no pipe: children that outlive the browser would keep it open
            subprocess.run(
                [printer, *OPTIONS, *unconfined, profile, out, (folder / "page.html").as_uri()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                timeout=TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"it had not finished after {TIMEOUT_S:g} s"
    except OSError as error:
        return str(error.strerror)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:400] if lines else "it said nothing"
