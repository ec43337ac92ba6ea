"""The report stands alone, in two languages, and shows markup as text; in a real browser it fits a phone."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from storage.presets import Presets
from tests.machine import chromium
from tests.training.comparison import made
from training.comparison import card, report
from training.evaluation.statistics import Interval

# Attributes by which a page would fetch something.
FETCHING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Page(HTMLParser):
    """Tags, and what they would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in FETCHING]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, presets: Presets) -> dict[str, Path]:
    found = {}
    for language in ("en", "ru"):
        found[language] = tmp_path_factory.mktemp(language)
        report.write(found[language], made.told(presets, language, "| published | & <ours> |"))
    return found


def test_nothing_is_fetched_from_anywhere(written: dict[str, Path]) -> None:
    for folder in written.values():
        text = (folder / "report.html").read_text(encoding="utf-8")
        page = Page(text)
        assert all(one.startswith("#") for one in page.fetched)
        assert not {"script", "link", "iframe", "img"} & set(page.tags)
        assert not re.search(r"https?://|url\((?!#)|@import", text)
        assert page.tags.count("svg") == 4


def test_what_models_write_is_text_and_no_markup(written: dict[str, Path]) -> None:
    text = (written["en"] / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "reward hacking &lt;i&gt;" in text
    assert "&amp; &lt;ours&gt;" in text


def test_both_languages_tell_result_alarm_failure_and_absence(written: dict[str, Path]) -> None:
    english, russian = ((written[one] / "report.html").read_text(encoding="utf-8") for one in ("en", "ru"))
    for told in (
        "highest mean has sft",
        "Not trained",
        "loss is no number",
        "not available",
        "Chosen by rule",
        "≥ 4.0",
    ):
        assert told in english
    for told in ("наибольшее среднее у sft", "Не обучено", "нет данных", "Выбраны правилом", "ТРЕВОГА"):
        assert told in russian
    assert 'lang="ru"' in russian


def test_the_card_fits_a_messenger(written: dict[str, Path]) -> None:
    with Image.open(written["ru"] / "card.png") as card:
        assert card.size == (1200, 675)
        assert len(card.convert("RGB").getcolors(1 << 20) or ()) > 50


def test_the_same_figures_give_the_same_page(written: dict[str, Path], presets: Presets, tmp_path: Path) -> None:
    report.write(tmp_path, made.told(presets, "en", "| published | & <ours> |"))
    for name in ("report.html", "card.png"):
        assert (tmp_path / name).read_bytes() == (written["en"] / name).read_bytes()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_read_it_by_day_and_by_night(
    written: dict[str, Path], scheme: Literal["light", "dark"]
) -> None:
    from axe_playwright_python.async_playwright import Axe
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
        await page.goto((written["ru"] / "report.html").as_uri())
        found = await Axe().run(page)
        await browser.close()
    # Plots' letters are shapes, with the plot's name for who cannot see it.
    assert not found.response["violations"], found.generate_report()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 900)])
async def test_a_browser_shows_it_without_scrolling_sideways(written: dict[str, Path], width: int, height: int) -> None:
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": width, "height": height})
        asked: list[str] = []
        errors: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.on("console", lambda one: errors.append(one.text))
        page.on("pageerror", lambda one: errors.append(str(one)))
        await page.goto((written["ru"] / "report.html").as_uri())
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        widths = await page.eval_on_selector_all("figure svg", "all => all.map(one => one.clientWidth)")
        assert len(widths) == 4
        assert min(widths) > 0.75 * min(width, 420)
        # The table scrolls inside its own frame, its first column staying in view.
        place = await page.evaluate(
            "() => { const frame = document.querySelector('.wide'); frame.scrollLeft = 200;"
            " return document.querySelector('tbody th').getBoundingClientRect().left"
            " - frame.getBoundingClientRect().left }"
        )
        assert 0 <= place < 5
        await browser.close()
    assert len(asked) == 1
    assert not errors


def test_nothing_stands_over_the_cards_edges(tmp_path: Path) -> None:
    names = ["base", *(f"f{share}-w470-a-rather-long-name-of-a-set" for share in range(10, 25))]
    values = {name: Interval(0.0, 0.0, 0.0, 30) for name in names}
    line = "Широкая жирная строка вывода, в которой много щедрых букв «Ш» и «Щ», " * 3
    card.draw(
        tmp_path / "card.png", "Очень длинное название таблицы с методами и базой " * 2, "под", [line], values, "F"
    )
    with Image.open(tmp_path / "card.png") as drawn:
        edges = [drawn.convert("L").crop(box) for box in ((0, 0, 20, 675), (1180, 0, 1200, 675), (0, 655, 1200, 675))]
    assert all(edge.getextrema() == (255, 255) for edge in edges)
