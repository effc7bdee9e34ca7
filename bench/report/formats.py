"""In which forms a report can be had; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bench.core.errors import RequestError
from bench.core.files import write_atomically
from bench.results.run_file import load, require_other_file

Format = Literal["markdown", "html", "pdf", "csv", "json"]
SUFFIXES: dict[str, Format] = {".html": "html", ".htm": "html", ".pdf": "pdf", ".csv": "csv", ".json": "json"}
"""What a file's name asks for."""
MARKDOWN = (".md", ".markdown", ".txt", "")


def report(paths: Sequence[Path], form: Format | None = None, out: Path | None = None) -> str:
    """Return the report of run files, of a PDF the page that is printed, and write it to ``out``.

    Markdown's pictures go beside it.

    Without ``form`` the name of ``out`` decides. Raises ``RunFileError`` for what is no run file, and ``RequestError``
    if ``out`` cannot be written or is one of the run files, or nothing here prints a PDF.
    """
    runs = [load(path) for path in paths]
    if out is not None:
        require_other_file(out, paths)
        if form is None and out.suffix.lower() not in (*SUFFIXES, *MARKDOWN):
            forms = ", ".join((".md", *SUFFIXES))
            raise RequestError(f"--out {out} ends in none of {forms}; name such a file, or give --format.")
    chosen = form or (SUFFIXES.get(out.suffix.lower(), "markdown") if out is not None else "markdown")
    if chosen == "html":
        from bench.report import page

        text = page.render(runs)
    elif chosen == "pdf":
        from bench.report import page, pdf

        if out is None:
            raise RequestError("a PDF must have a file to be written to; give --out, for example --out report.pdf.")
        printer = pdf.browser()
        text = page.render(runs)
        pdf.write(text, out, printer)
        return text
    elif chosen == "markdown":
        from bench.report import markdown, pictures

        text = markdown.render(runs, pictures=out is not None)
        if out is not None:
            for number, run in enumerate(runs, start=1):
                pictures.draw(pictures.pictures_of(run, number), out.parent)
    else:
        from bench.report import flat

        text = flat.as_csv(runs) if chosen == "csv" else flat.as_json(runs)
    if out is not None:
        write_atomically(out, text)
    return text
