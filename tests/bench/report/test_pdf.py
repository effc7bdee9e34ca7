"""A report on paper: printed by a real Chromium where there is one, and a sentence where it cannot be."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from bench.core.errors import RequestError
from bench.report import pdf
from bench.report.formats import report
from bench.results import run_file
from tests.bench.conftest import Command
from tests.bench.examples import RUN

INSTALLED = any(shutil.which(name) for name in pdf.BROWSERS)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run_file.save(RUN, tmp_path / "run.json")
    return tmp_path / "run.json"


def browser(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program into the path that stands in for a browser."""
    (folder / "bin").mkdir()
    program = folder / "bin/google-chrome"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.mark.skipif(not INSTALLED and not os.environ.get("CI"), reason="no Chromium in the path")
def test_chromium_prints_the_page(run: Path, command: Command) -> None:
    out = run.with_name("lab.pdf")
    code, printed, errors = command("report", str(run), "--pdf", "--out", str(out))
    assert (code, printed) == (0, ""), errors
    content = out.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type ?/Page\b", content)) > 1
    sizes = {tuple(map(float, box.split()[2:])) for box in re.findall(rb"/MediaBox ?\[([^\]]*)\]", content)}
    assert all(width > height for width, height in sizes), "tables are wide"
    assert {path.name for path in run.parent.iterdir()} == {"run.json", "lab.pdf"}


def test_the_name_of_the_file_asks_for_it_and_the_page_is_returned(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = 'for word; do case "$word" in --print-to-pdf=*) echo "%PDF-1.4" > "${word#*=}";; esac; done'
    browser(tmp_path, copies, monkeypatch)
    text = report([run], out=tmp_path / "new/lab.pdf")
    assert text.startswith("<!doctype html>")
    assert (tmp_path / "new/lab.pdf").read_bytes() == b"%PDF-1.4\n"


def test_without_a_browser_it_says_what_to_install(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match=r"none of chromium, .*; install one, or open the page of --html"):
        report([run], "pdf", tmp_path / "lab.pdf")
    assert not (tmp_path / "lab.pdf").exists()


def test_a_pdf_is_no_text_for_a_terminal(run: Path) -> None:
    with pytest.raises(RequestError, match=r"must have a file .*--out report\.pdf"):
        report([run], "pdf")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'a warning' >&2; echo 'no usable sandbox' >&2; exit 1", "no usable sandbox"),
        ("exit 0", "it said nothing"),
        ("exec /bin/sleep 60", r"it had not finished after 0\.2 s"),
    ],
    ids=["fails", "prints nothing", "hangs"],
)
def test_a_browser_that_does_not_print_leaves_nothing(
    script: str, reason: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser(tmp_path, script, monkeypatch)
    if "sleep" in script:
        monkeypatch.setattr(pdf, "TIMEOUT_S", 0.2)
    with pytest.raises(RequestError, match=rf"google-chrome could not print .*lab\.pdf \({reason}\)"):
        report([run], "pdf", tmp_path / "lab.pdf")
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "bin"}


def test_two_forms_at_once_are_refused(run: Path, command: Command) -> None:
    code, _, errors = command("report", str(run), "--pdf", "--html")
    assert (code, "--html and --pdf cannot be combined" in errors) == (2, True)
