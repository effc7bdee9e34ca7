"""The HTML page in a real headless Chromium: opened from a file, sorted, filtered, on a phone and in the dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from bench.report import page
from bench.report.drawing import GREY, LABEL_POINTS
from tests.bench.examples import RUN
from tests.bench.report.test_drawing import contrast

PHONE = (360, 740)
DESK = (1280, 900)
pytestmark = pytest.mark.usefixtures("loopback")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.render([RUN]), encoding="utf-8")
    return path.as_uri()


Open = Callable[..., webdriver.Chrome]


@pytest.fixture
def opened(chromium: webdriver.Chrome, url: str) -> Open:
    """Open the page anew on a screen of a size, light or dark."""

    def call(size: tuple[int, int] = DESK, dark: bool = False) -> webdriver.Chrome:
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        chromium.get(url)
        return chromium

    return call


def table(browser: webdriver.Chrome, title: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f"[aria-label='{title}'] table")


def header(within: WebElement, name: str) -> WebElement:
    [heading] = [
        heading for heading in within.find_elements(By.CSS_SELECTOR, "thead th") if heading.text.startswith(name)
    ]
    return heading


def column(within: WebElement, name: str) -> list[str]:
    at = [heading.text.split()[0] for heading in within.find_elements(By.CSS_SELECTOR, "thead th")].index(name) + 1
    return [
        cell.text for cell in within.find_elements(By.CSS_SELECTOR, f"tbody td:nth-child({at})") if cell.is_displayed()
    ]


def status(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "[role=status]").text


def computed(browser: webdriver.Chrome, script: str) -> list[list[str]]:
    """Run ``script`` for each element that shows text of its own, and return what it makes of each."""
    texts: list[list[str]] = browser.execute_script(
        """
        const shown = [...document.querySelectorAll("body *:not(script)")].filter((each) =>
          each.checkVisibility() && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
        return shown.map((each) => { const style = getComputedStyle(each); return """
        + script
        + "; });"
    )
    return texts


def hexadecimal(rgb: str) -> str:
    red, green, blue = (int(part) for part in rgb.removeprefix("rgb(").removesuffix(")").split(","))
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_it_opens_without_a_word_in_the_console(opened: Open) -> None:
    browser = opened()
    assert browser.title == "Quantbench: quick on Example CPU 3000"
    assert browser.get_log("browser") == []


def test_it_asks_for_nothing_but_itself(opened: Open, url: str) -> None:
    browser = opened()
    browser.get_log("performance")
    browser.get(url)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    assert [address for address in asked if not address.startswith("data:")] == [url]


def test_a_numeric_column_sorts_as_numbers_both_ways_and_back(opened: Open) -> None:
    browser = opened()
    lab = table(browser, "MNIST")
    original = column(lab, "Latency")
    assert original == ["50.0 ± 0.3 µs", "49.0 ± 0.3 µs", "52.0 ± 0.3 µs", "–", "–"]
    click = lab.find_elements(By.CSS_SELECTOR, "thead button")[6].click
    click()
    assert column(lab, "Latency") == ["49.0 ± 0.3 µs", "50.0 ± 0.3 µs", "52.0 ± 0.3 µs", "–", "–"]
    assert header(lab, "Latency B1").get_attribute("aria-sort") == "ascending"
    assert status(browser) == "Sorted by Latency B1, ascending."
    click()
    assert column(lab, "Latency") == ["52.0 ± 0.3 µs", "50.0 ± 0.3 µs", "49.0 ± 0.3 µs", "–", "–"], "missing stay last"
    assert header(lab, "Latency B1").get_attribute("aria-sort") == "descending"
    click()
    assert column(lab, "Latency") == original
    assert header(lab, "Latency B1").get_attribute("aria-sort") is None


def test_figures_sort_by_what_is_behind_them_and_not_by_their_text(opened: Open) -> None:
    """By text 200.0 µs would come before 49.00 µs."""
    browser = opened()
    samples = table(browser, "MNIST: latency and its samples")
    header(samples, "Latency").find_element(By.TAG_NAME, "button").click()
    latencies = column(samples, "Latency")
    assert latencies[:4] == ["49.00 µs", "50.00 µs", "52.00 µs", "200.0 µs"]
    assert [len(latencies), latencies[-1]] == [6, "600.0 µs"]


def test_speed_ups_sort_by_their_value_and_verdicts_have_their_colour(opened: Open) -> None:
    browser = opened()
    against = table(browser, "MNIST: against fp32")
    header(against, "Speed-up B64").find_element(By.TAG_NAME, "button").click()
    assert column(against, "Technique") == ["fp32", "fp16", "dynamic-qint8", "amp", "static-qint8"]
    header(against, "Speed-up B64").find_element(By.TAG_NAME, "button").click()
    words_last = ["dynamic-qint8", "fp16", "fp32", "static-qint8", "amp"]
    assert column(against, "Technique") == words_last
    faster, slower = (against.find_element(By.CLASS_NAME, word) for word in ("faster", "slower"))
    assert (faster.text, slower.text) == ("3.00× [2.90, 3.10] faster", "0.96× [0.95, 0.97] slower")
    colours = {cell.value_of_css_property("color") for cell in (faster, slower, against)}
    assert len(colours) == 3


def test_a_text_column_sorts_by_the_keyboard_alone(opened: Open) -> None:
    browser = opened()
    against = table(browser, "MNIST: against fp32")
    header(against, "Technique").find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert column(against, "Technique") == ["amp", "dynamic-qint8", "fp16", "fp32", "static-qint8"]
    assert header(against, "Technique").get_attribute("aria-sort") == "ascending"
    header(against, "Accuracy change").find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE)
    assert header(against, "Technique").get_attribute("aria-sort") is None, "one column sorts a table"
    changes = ["−0.57 points worse", "−0.01 points", "97.07 %", "+0.00 points", "–"]
    assert column(against, "Accuracy") == changes


def test_the_filter_keeps_rows_that_have_all_its_words(opened: Open) -> None:
    browser = opened()
    field = browser.find_element(By.ID, "filter")
    assert field.accessible_name == "Filter rows"
    field.send_keys("LAB1 qint8")
    assert column(table(browser, "MNIST: against fp32"), "Technique") == ["dynamic-qint8", "static-qint8"]
    assert column(table(browser, "MNIST"), "dtype") == ["qint8", "qint8"]
    every = len(browser.find_elements(By.CSS_SELECTOR, "table.data tbody tr"))
    kept = sum(row.is_displayed() for row in browser.find_elements(By.CSS_SELECTOR, "table.data tbody tr"))
    assert status(browser) == f"{kept} of {every} rows."
    field.clear()
    field.send_keys("x", Keys.BACKSPACE)
    assert len(column(table(browser, "MNIST"), "dtype")) == 5
    assert status(browser) == ""


def test_a_filter_stays_while_tables_are_sorted(opened: Open) -> None:
    browser = opened()
    browser.find_element(By.ID, "filter").send_keys("qint8")
    against = table(browser, "MNIST: against fp32")
    button = header(against, "Technique").find_element(By.TAG_NAME, "button")
    button.click()
    button.click()
    assert column(against, "Technique") == ["static-qint8", "dynamic-qint8"]


def test_on_a_phone_the_page_does_not_scroll_sideways_and_its_tables_do(opened: Open) -> None:
    browser = opened(PHONE)
    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]
    wide = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth).length"
    )
    assert wide > 3


def test_on_a_phone_text_is_legible(opened: Open) -> None:
    sizes = [float(size) for [size] in computed(opened(PHONE), "[style.fontSize.replace('px', '')]")]
    assert len(sizes) > 100
    assert min(sizes) >= 14


def test_on_a_phone_text_of_pictures_is_legible_too(opened: Open) -> None:
    """A picture is as large as on a desk, whose points are pixels of CSS: its labels are 11 pixels, and it scrolls."""
    browser = opened(PHONE)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('figure img')].map((each) => [each.getBoundingClientRect().width,"
        " each.naturalWidth, each.parentElement.scrollWidth > each.parentElement.clientWidth])"
    )
    assert len(shown) == 3
    pixels_of_a_point = 96 / 72
    assert all(LABEL_POINTS * pixels_of_a_point * wide / natural >= 11 for wide, natural, _ in shown)
    assert all(scrolls for _, _, scrolls in shown)


def test_at_a_desk_every_picture_is_seen_whole(opened: Open) -> None:
    scrolls = opened(DESK).execute_script(
        "return [...document.querySelectorAll('figure .scroll')].map((each) => each.scrollWidth > each.clientWidth)"
    )
    assert scrolls == [False] * 3


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("label", "share"),
    [("MNIST: against fp32", 0.47), ("mnist/lab1: latency of one call and its spread", 0.9)],  # where nothing is drawn
)
def test_what_scrolls_has_a_shade_where_there_is_more(opened: Open, dark: bool, label: str, share: float) -> None:
    """The outermost pixels of a line in which nothing but the ground would be, before and after scrolling."""
    browser = opened(PHONE, dark)
    wide = browser.find_element(By.CSS_SELECTOR, f"[aria-label='{label}']")

    def ends() -> tuple[object, object]:
        picture = Image.open(BytesIO(wide.screenshot_as_png)).convert("RGB")
        line = int(share * picture.height)
        return picture.getpixel((0, line)), picture.getpixel((picture.width - 1, line))

    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    left, right = ends()
    assert left == tuple(ground) != right
    browser.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", wide)
    left, right = ends()
    assert left != tuple(ground) == right


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast_in_light_and_dark(opened: Open, dark: bool) -> None:
    browser = opened(dark=dark)
    ground = hexadecimal(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert (contrast(ground, "#000000") < 2) == dark, "the page follows the reader's scheme"
    colours = {hexadecimal(colour) for [colour] in computed(browser, "[style.color]")}
    assert len(colours) >= 4
    assert min(contrast(colour, ground) for colour in colours) >= 4.5
    lighter = browser.execute_script("return getComputedStyle(document.querySelector('figure img')).filter")
    grey = round(int(GREY[1:3], 16) * float(lighter.removeprefix("brightness(").removesuffix(")")))
    assert contrast(f"#{grey:02x}{grey:02x}{grey:02x}", ground) >= 4.5


def test_without_a_script_everything_is_there(opened: Open, url: str, tmp_path: Path) -> None:
    browser = opened()
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(url)
        assert not browser.find_element(By.ID, "filter").is_displayed(), "what would do nothing is not shown"
        assert browser.find_element(By.CSS_SELECTOR, "table.data tbody tr").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
