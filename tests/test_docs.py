"""The pages of docs/: how many and how long they are, how they begin, and where their links lead.

What their commands say is in ``bench/test_documented_commands.py``, what their tables come from in ``test_readme.py``.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.repository import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
LINKING = [ROOT / "README.md", ROOT / "CHANGELOG.md", *PAGES, *sorted((ROOT / "reports").glob("*/*.md"))]
MOST_PAGES = 9
MOST_LINES = 200
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TABLE = re.compile(r"(?:^\|.*\n){3,}", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_few_pages() -> None:
    assert 0 < len(PAGES) <= MOST_PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short(page: Path) -> None:
    assert len(text_of(page).splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_begins_with_what_it_lets_you_do(page: Path) -> None:
    """A title, then one or two sentences, and no table, list or code before them."""
    title, opening = text_of(page).split("\n\n")[:2]
    assert re.fullmatch(r"# .+", title)
    assert opening[0].isupper()
    assert len(opening) <= 360
    assert len(re.findall(r"[.:](?:\s|$)", opening)) <= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_readme_leads_to_a_page(page: Path) -> None:
    assert f"(docs/{page.name})" in text_of(ROOT / "README.md")


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_FENCED.sub("", text_of(page))):
        address, _, anchor = link.partition("#")
        if ":" in address:
            continue
        target = (page.parent / address).resolve() if address else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_no_table_stands_in_two_places() -> None:
    tables = Counter(table for page in [ROOT / "README.md", *PAGES] for table in _TABLE.findall(text_of(page)))
    assert [table for table, times in tables.items() if times > 1] == []


def test_a_table_that_a_report_consists_of_is_linked_and_not_repeated() -> None:
    """A whole report (``report.md``) has tables that a page may show; a page of its own table has it alone."""
    own = {
        table: page
        for page in LINKING
        if page.parent.parent.name == "reports" and page.name != "report.md"
        for table in _TABLE.findall(text_of(page))
    }
    shown = {own[table] for page in PAGES for table in _TABLE.findall(text_of(page)) if table in own}
    assert shown == set()


@pytest.mark.parametrize(
    "folder", sorted(path for path in (ROOT / "reports").iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_a_page_refers_to_every_report(folder: Path) -> None:
    text = "".join(text_of(page) for page in [ROOT / "README.md", *PAGES])
    assert re.search(rf"\]\((\.\./)?reports/{folder.name}[/)]", text)
