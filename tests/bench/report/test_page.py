from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.report import page
from bench.report.document import document
from bench.report.pictures import pictures_of
from bench.results.run import Run
from tests.bench.examples import DATA, FP32, QINT8, RUN

GOLDEN = Path(__file__).with_name("golden_page.html")
HOSTILE = "<script>alert(1)</script> \"' onload=x **<b>** `<i>` {{ 7*7 }} </style>"


class Reader(HTMLParser):
    """Collects elements, and what their ends say of how they are nested."""

    VOID = {"meta", "input", "link", "br", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text() -> str:
    return page.render([RUN])


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_source", lambda picture: "data:,")


def hostile_run() -> Run:
    """Every text of a run file that nothing checks is hostile."""
    rows = [
        row.model_copy(
            update=dict.fromkeys(("model", "scheme", "dtype", "reason"), HOSTILE)
            | {"status": "noisy", "notes": [HOSTILE], "bytes_by_dtype": {HOSTILE: 1}}
        )
        for row in (FP32, QINT8)
    ]
    data = DATA.model_copy(
        update=dict.fromkeys(("title", "origin", "note", "citation", "fingerprint"), HOSTILE) | {"kind": "synthetic"}
    )
    machine = RUN.machine.model_copy(update={"cpu": HOSTILE, "isa": [HOSTILE], "os": HOSTILE, "torch": HOSTILE})
    settings = RUN.settings.model_copy(update={"suite": HOSTILE, "engine": HOSTILE, "models": [HOSTILE]})
    trainings = [RUN.trainings[0].model_copy(update={"description": HOSTILE, "recipe": {"optimizer": HOSTILE}})]
    return RUN.model_copy(
        update={"rows": rows, "data": [data], "machine": machine, "settings": settings, "trainings": trainings}
    )


def body() -> str:
    """Return what a page says of the example run, without pictures."""
    return page.render([RUN]).partition("<main>\n")[2].partition("</main>")[0]


def test_the_page_is_the_golden_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an intended change: write ``body()``, without pictures, to the golden file and read the difference."""
    without_pictures(monkeypatch)
    assert body() == GOLDEN.read_text(encoding="utf-8")


def test_every_element_is_closed_where_it_was_opened(read: Reader) -> None:
    assert read.open == []


def test_nothing_comes_from_elsewhere(text: str, read: Reader) -> None:
    links = [
        value for _, each in read.elements for name, value in each.items() if name in ("src", "href", "xlink:href")
    ]
    assert links
    assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in links)
    assert not {"link", "iframe", "object", "base"} & {tag for tag, _ in read.elements}
    assert not re.findall(r"https?://|@import|url\((?!#)", text)


def test_names_are_given_once_and_links_lead_to_them(read: Reader) -> None:
    names = [each["id"] for _, each in read.elements if "id" in each]
    assert len(names) == len(set(names))
    targets = {each[key][1:] for _, each in read.elements for key in ("href", "xlink:href") if key in each}
    assert targets <= set(names)


def test_the_policy_allows_the_pages_own_script_alone(text: str) -> None:
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}';" in policy
    assert "on" not in {name[:2] for _, each in Reader(text).elements for name in each}


def test_all_that_markdown_says_is_on_the_page(text: str) -> None:
    for chapter in document(RUN).chapters:
        assert f">{chapter.title}</h2>" in text


def test_figures_sort_by_the_number_behind_them(text: str) -> None:
    assert '<td class="number" data-value="412173">0.412</td>' in text
    assert re.search(r'data-value="0\.0005999\d*">600 ± 4 µs|data-value="0\.0006\d*">600 ± 4 µs', text)
    assert '<td class="faster" data-value="3.0">3.00× [2.90, 3.10] faster</td>' in text
    assert '<td class="number">–</td>' in text, "what was not measured has no number"


def test_pictures_are_part_of_the_page_as_they_are_drawn(read: Reader) -> None:
    pictures = pictures_of(RUN)
    assert [each["alt"] for each in read.named("img")] == [picture.title for picture in pictures]
    for image, picture in zip(read.named("img"), pictures, strict=True):
        assert b64decode(image["src"].partition(",")[2]).decode() == picture.draw()


def test_whatever_a_run_file_says_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.render([hostile_run()])
    read = Reader(text)
    assert read.open == []
    assert len(read.named("script")) == 1
    assert "alert(1)" not in re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    assert not read.named("b")
    assert not read.named("i")
    assert not any(name.startswith("on") for _, each in read.elements for name in each)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7*7 }}" in text, "and no template either"


def test_sentences_know_strong_and_code_alone() -> None:
    assert page.inline("**SYNTHETIC data**, not `a<b`: <i>") == (
        "<strong>SYNTHETIC data</strong>, not <code>a&lt;b</code>: &lt;i&gt;"
    )


def test_synthetic_data_and_an_unfinished_run_are_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    synthetic = DATA.model_copy(update={"kind": "synthetic"})
    text = page.render([RUN.model_copy(update={"data": [synthetic], "finished": False})])
    assert text.index("Synthetic data.") < text.index('id="run-1-results"')
    assert text.index("Unfinished.") < text.index('id="run-1-results"')
    assert "<strong>SYNTHETIC data, not MNIST</strong>" in text


def test_several_runs_are_sections_with_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    text = page.render([RUN, RUN])
    read = Reader(text)
    assert "<h1>Quantbench: 2 runs</h1>" in text
    assert [each["id"] for each in read.named("article")] == ["run-1", "run-2"]
    assert text.count("<h2>Quantbench: quick on Example CPU 3000</h2>") == 2
    names = [each["id"] for _, each in read.elements if "id" in each]
    assert len(names) == len(set(names))


def test_a_run_without_rows_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    read = Reader(page.render([RUN.model_copy(update={"rows": [], "data": [], "trainings": []})]))
    assert read.open == []


def test_its_parts_are_in_the_package() -> None:
    for name in ("page.html", "page.css", "page.js"):
        assert (Path(page.__file__).parent / name).is_file()
