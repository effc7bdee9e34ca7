"""Pages whose every name comes from somebody malicious, in a real headless Chromium: they do nothing, and show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from bench.report import fleet, page
from bench.results import run_file
from bench.results.fleet import NodeRecord
from bench.results.run import Run
from tests.bench.examples import RUN
from tests.bench.fleet.plans import FLEET

pytestmark = pytest.mark.usefixtures("loopback")

ATTACKS = (
    "<script>window.taken = 1</script>",
    "</script><script>window.taken = 2</script>",
    "</title></style><img src=x onerror='window.taken = 3'>",
    '" onmouseover="window.taken = 4" autofocus onfocus="window.taken = 4" x=\'',
    "[link](javascript:window.taken=5) <a href='javascript:window.taken=5'>link</a> javascript:window.taken=5",
    "<svg onload=window.taken=6><style>*{display:none}</style>",
    "&lt;script&gt; &#x3C;iframe srcdoc='<script>parent.taken = 7</script>'></iframe>",
    "**<b>** `<i>` {{ 7*7 }} {% raw %} <!-- <base href='https://example.com/'>",
    "<meta http-equiv=refresh content='0;url=https://example.com/'><form action=https://example.com/><input>",
    "\x00\x07\x1b[2Jcontrol\x9f\u2028 ]]>",
    "\u202egnimoc si\u202c \u2066isolated שלום 12 34",
    "wide " + "x" * 10_000,
)
LONGEST_NAME = 4_000
"""Of what is no sentence; a run file with longer ones is refused."""
EVERYTHING = " ".join(attack[:200] for attack in ATTACKS)
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}


def hostile() -> dict[str, Any]:
    """Return the example run with an attack in each text, as a file has it: a row for each, all of one model."""
    content: dict[str, Any] = json.loads(RUN.model_dump_json())
    fp32, other = content["rows"][0], content["rows"][2]
    content["rows"] = [fp32] + [
        other
        | {"technique": attack, "dtype": attack, "reason": attack, "notes": [attack], "status": "noisy"}
        | {"scheme": attack[:200], "bytes_by_dtype": {attack[:LONGEST_NAME]: 1}, "runtime": attack[:200]}
        for attack in ATTACKS
    ]
    for row in content["rows"]:
        row |= {"task": EVERYTHING, "model": EVERYTHING}
    content["data"][0] |= dict.fromkeys(("task", "title", "origin", "note", "citation", "fingerprint"), EVERYTHING)
    content["data"][0]["kind"] = "synthetic"
    content["trainings"][0] |= {"model": f"{EVERYTHING}/{EVERYTHING}", "description": EVERYTHING}
    content["trainings"][0]["recipe"] = {EVERYTHING: EVERYTHING}
    content["machine"] |= dict.fromkeys(("cpu", "os"), EVERYTHING)
    content["machine"] |= {"isa": [attack[:LONGEST_NAME] for attack in ATTACKS], "torch": ATTACKS[0]}
    content["settings"] |= {"suite": EVERYTHING, "models": [EVERYTHING], "techniques": list(ATTACKS)}
    return content | {"notes": list(ATTACKS), "created": ATTACKS[1], "quantbench": ATTACKS[2]}


def loaded(content: dict[str, Any], folder: Path) -> Run:
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    return run_file.load(folder / "run.json")


def write_report(folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(page.render([loaded(hostile(), folder)]), encoding="utf-8")
    return path


def write_fleet(folder: Path) -> Path:
    run = loaded(hostile(), folder)
    names = [attack[:LONGEST_NAME] for attack in ATTACKS]
    nodes = [NodeRecord(name=name, state="failed", at=name, reason=name, rows=1) for name in names]
    runs = {names[0]: run, names[1]: run.model_copy(update={"created": "later"})}
    fleet.write(FLEET.model_copy(update={"nodes": nodes, "quantbench": ATTACKS[0]}), runs, folder)
    return folder / fleet.PAGE_FILE


LOOK = """
const all = [...document.querySelectorAll("*")];
const named = (names) => all.flatMap((each) => names.map((name) => each.getAttribute(name)).filter(Boolean));
return {
  taken: window.taken ?? null,
  tags: [...new Set(all.map((each) => each.localName))],
  scripts: document.scripts.length,
  handlers: all.flatMap((each) => each.getAttributeNames().filter((name) => name.startsWith("on"))),
  addresses: named(["href", "src", "action", "formaction", "srcdoc", "data", "poster", "background"]),
  names: all.map((each) => each.id).filter(Boolean),
  isolated: [...new Set([...document.querySelectorAll("code")].map((each) => getComputedStyle(each).unicodeBidi))],
  text: document.body.textContent,
  wide: document.documentElement.scrollWidth,
};
"""
ELEMENTS = (
    "html head meta title style body header h1 p nav ul li a strong div label input output main article section h2 h3"
    " h4 span table thead tr th tbody td code details summary figure figcaption img script button"
)
"""What the template has, and what sentences and the script make."""


@pytest.mark.parametrize("write", [write_report, write_fleet])
def test_a_page_of_hostile_names_does_nothing(
    write: Callable[[Path], Path], chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    url = write(tmp_path).as_uri()
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    chromium.get_log("performance")
    chromium.get(url)
    for button in chromium.find_elements(By.CSS_SELECTOR, "thead button")[:12]:
        chromium.execute_script("arguments[0].click()", button)
    chromium.find_element(By.ID, "filter").send_keys("<script>")

    seen = chromium.execute_script(LOOK)
    assert seen["taken"] is None
    assert set(seen["tags"]) <= set(ELEMENTS.split())
    assert (seen["scripts"], seen["handlers"]) == (1, [])
    assert {address[:26] for address in seen["addresses"] if not address.startswith("#")} == {
        "data:image/svg+xml;base64,"
    }
    assert len(seen["names"]) == len(set(seen["names"]))
    assert chromium.get_log("browser") == [], "nothing was tried that the page's policy had to forbid"
    assert chromium.current_url == url
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    assert [address for address in asked if not address.startswith("data:")] == [url]

    assert "</script><script>window.taken = 2</script>" in seen["text"], "it is shown as what it is"
    assert not set(seen["text"]) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x07\x1b")
    assert seen["isolated"] == ["isolate"], "names from right to left leave the figures behind them in their order"
    assert seen["wide"] == PHONE["width"], "long ones are broken, or scroll by themselves"
