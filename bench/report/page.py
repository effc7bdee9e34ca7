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
from bench.report.document import Block, Gallery, Listing, document
from bench.report.drawing import GREY, NARROW_INCHES
from bench.report.pictures import Picture
from bench.report.tables import Figure, Table, read_from_left
from bench.results.run import Run

HERE = Path(__file__).parent
PIXELS = 1.4
"""Of a point in a picture: 10 points of text are 14 pixels then."""
_UNUSED = re.compile(r' id="(?![mp][0-9a-f]{10}")[^"]*"')
"""Names inside an SVG that nothing in it refers to: only markers' and clips' are hashes."""
_ID = re.compile(r'(?<=id=")|(?<=url\(#)|(?<=href="#)')
"""Where a name inside an SVG begins."""
_HEAD = re.compile(r"<\?xml.*?\?>\s*")
_NAMESPACE = re.compile(r' (?:xmlns(?::xlink)?|version)="[^"]*"')
_WIDTH = re.compile(r'viewBox="0 0 ([\d.]+)')
_STYLE = re.compile(r"<style[^>]*>.*?</style>\s*", re.DOTALL)
"""It would hold for the whole page."""
_INDENT = re.compile(r"\s*\n\s*")
_STRONG = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`(.+?)`")


def render(runs: Sequence[Run]) -> str:
    """Return one page with a section for each run."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(inline=inline, panels=_panels, kind=_kind, number=_number, left=_left, slug=_slug)
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    documents = [document(run, number) for number, run in enumerate(runs, start=1)]
    return environment.get_template("page.html").render(
        title=documents[0].title if len(runs) == 1 else f"Quantbench: {counted(len(runs), 'run')}",
        sections=list(zip(documents, map(_lede, runs), strict=True)),
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


def _left(table: Table) -> list[bool]:
    return read_from_left(table.rows, table.header)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _panels(picture: Picture) -> Markup:
    """Return a picture's panels as parts of the page, to stand beside each other as far as the screen is wide."""
    drawn = picture.draw_panels().values()
    return Markup("\n").join(_panel(svg, f"{_slug(picture.name)}-{number}-") for number, svg in enumerate(drawn))


def _panel(drawn: str, prefix: str) -> Markup:
    """Return an SVG as a part of the page: in the colour of its text, and with names of its own."""
    title = re.search(r"<title>(.*?)</title>", drawn)
    label = title[1].replace('"', "&quot;") if title else ""
    for extra in (_HEAD, _NAMESPACE, _STYLE, _UNUSED):
        drawn = extra.sub("", drawn)
    drawn = _INDENT.sub(" ", drawn)
    drawn = _ID.sub(prefix, drawn).replace(GREY, "currentColor")
    points = float(_WIDTH.findall(drawn)[0])
    head = f'<svg role="img" aria-label="{label}" style="width: {PIXELS * points:.0f}px" '
    svg = re.sub(r'<svg width="[^"]*" height="[^"]*" ', lambda _: head, drawn, count=1).strip()
    if points <= 72 * NARROW_INCHES:
        return Markup(svg)  # noqa: S704 - ours
    return Markup(f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{svg}</div>')  # noqa: S704
