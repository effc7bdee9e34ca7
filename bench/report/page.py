"""The report as one HTML page: self-contained, so it can be sent and opened without a network.

The template escapes whatever comes from run files, and the page's own policy (Content-Security-Policy) forbids every
request and every script but the one named by its hash.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.core.units import counted
from bench.report.blocks import Block, Document, Gallery, Listing
from bench.report.document import document
from bench.report.pictures import Picture
from bench.report.tables import Figure, Table, read_from_left
from bench.results.run import Run

HERE = Path(__file__).parent
_STRONG = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`(.+?)`")


def render(runs: Sequence[Run]) -> str:
    """Return one page with a section for each run."""
    documents = [document(run, number) for number, run in enumerate(runs, start=1)]
    title = documents[0].title if len(runs) == 1 else f"Quantbench: {counted(len(runs), 'run')}"
    return _page(title, list(zip(documents, map(_lede, runs), strict=True)))


def render_with(first: Document, lede: str, runs: Sequence[Run]) -> str:
    """Return one page with a section for ``first`` and one for each run."""
    documents = [document(run, number) for number, run in enumerate(runs, start=1)]
    return _page(first.title, [(first, lede), *zip(documents, map(_lede, runs), strict=True)])


def _page(title: str, sections: Sequence[tuple[Document, str]]) -> str:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        inline=inline, source=_source, kind=_kind, number=_number, word=_word, left=_left, slug=_slug
    )
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template("page.html").render(
        title=title,
        sections=sections,
        style=Markup(style),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def inline(text: str) -> Markup:
    """Return a sentence as HTML: escaped first, then its ``**strong**`` and `` `code` `` marked up."""
    marked = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_STRONG.sub(r"<strong>\1</strong>", marked))  # noqa: S704 - escaped above


def _lede(run: Run) -> str:
    settings = run.settings
    threads = counted(settings.threads, "thread")
    return f"{run.machine.cpu}, {threads} on {settings.device}, torch {run.machine.torch}, {run.created}"


def _kind(block: Block) -> str:
    """Name a block for the template."""
    return {Table: "table", Listing: "listing", Gallery: "gallery"}.get(type(block), "text")


def _number(cell: object) -> float | None:
    """Return what a cell is sorted by; ``None`` for its text."""
    if isinstance(cell, Figure):
        return cell.number
    return cell if isinstance(cell, int | float) else None


def _word(cell: object) -> str:
    """Return the verdict on a cell's figure; empty for none."""
    return cell.word if isinstance(cell, Figure) else ""


def _left(table: Table) -> list[bool]:
    return read_from_left(table.rows, table.header)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _source(picture: Picture) -> str:
    """Return the picture as the address of an image: whatever it names inside is apart from the page."""
    return f"data:image/svg+xml;base64,{b64encode(picture.draw().encode()).decode()}"
