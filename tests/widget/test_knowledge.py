"""The knowledge base: imported, found by any form of a word, attached, bounded, the same on both databases."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docx
import pytest

from bot.api.settings import ApiSettings
from bot.knowledge.cutting import LONGEST, parts
from bot.knowledge.search import Index
from bot.knowledge.shelf import Shelf
from otklik.knowledge import articles, main
from storage.database import Database, upgrade
from storage.repositories.articles import NewArticle
from tests.api.conftest import Serve
from tests.widget.conftest import make_token

ARTICLES = """### Title
Возврат билета
### Category
Билеты
### Body
Невозвратный билет вернуть нельзя, но сборы аэропорта вернут.

### Title
Багаж и ручная кладь
### Body
Ручная кладь весит до десяти килограммов. Лыжи сдают в багаж.

### Title
Смена имени пассажира
### Body
Опечатку в имени исправит авиакомпания.
"""


def titles(found: list[tuple[Any, float]]) -> list[str]:
    return [article.title for article, _ in found]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of articles, and an empty database of the commands' own."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    path = tmp_path / "статьи.txt"
    path.write_text(ARTICLES, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_articles_are_found_by_any_form_of_a_word(request: Any, file: Path, tmp_path: Path, kind: str) -> None:
    sqlite = f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite3'}"
    url = str(request.getfixturevalue("postgres_url")) if kind == "postgres" else sqlite
    await upgrade(url)
    database = Database(url)
    shelf = Shelf(database)
    assert await shelf.find("билет", 5) == (0, [])
    found = articles(file)
    async with database.unit() as unit:
        assert await unit.articles.replace("статьи.txt", found) == (3, 0)
        await unit.commit()
    total, first = await shelf.find("Как мне вернуть билеты?", 5)
    assert total == 3 and titles(first)[0] == "Возврат билета"
    assert titles((await shelf.find("сколько весит ручной багаж", 1))[1]) == ["Багаж и ручная кладь"]
    assert titles((await shelf.find("ОПЕЧАТКА в имени", 5))[1])[0] == "Смена имени пассажира"
    assert (await shelf.find("как и что", 5))[1] == (await shelf.find("квантовая хромодинамика", 5))[1] == []
    # One article is changed, one goes, one comes: searched at once, without a restart.
    changed = [found[0], NewArticle("Лыжи", "Лыжи возят бесплатно зимой.")]
    async with database.unit() as unit:
        assert await unit.articles.replace("статьи.txt", changed) == (1, 2)
        await unit.commit()
    assert titles((await shelf.find("лыжи", 5))[1]) == ["Лыжи"]
    await database.close()


def test_the_commands_import_replace_list_and_remove(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(file)]) == 0
    assert main(["import", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "статьи.txt: 3 articles, 3 new, 0 removed",
        "статьи.txt: 3 articles, 0 new, 0 removed",
    ]
    assert main(["list"]) == 0
    assert capsys.readouterr().out.split() == ["3", "статьи.txt"]
    assert main(["remove", "статьи.txt"]) == 0
    assert main(["remove", "статьи.txt"]) == 2
    assert "otklik knowledge list" in capsys.readouterr().err


def test_a_broken_file_is_named_with_its_places_and_changes_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = file.with_name("broken.txt")
    broken.write_text("### Title\nБез текста\n", encoding="utf-8")
    assert main(["import", str(file), str(broken)]) == 1
    told = capsys.readouterr()
    assert "broken.txt" in told.err and "body" in told.err and told.out == ""
    assert main(["list"]) == 0 and capsys.readouterr().out == ""


def test_word_documents_are_read_and_long_articles_are_cut(file: Path) -> None:
    document = docx.Document()
    body = "\n\n".join(f"Абзац {number}. " + "Правила перевозки багажа. " * 20 for number in range(20))
    for line in ("### Title", "Правила", "### Category", "Перевозка", "### Body", *body.split("\n")):
        document.add_paragraph(line)
    path = file.with_suffix(".docx")
    document.save(str(path))
    found = articles(path)
    assert [one.title for one in found] == ["Правила (1/3)", "Правила (2/3)", "Правила (3/3)"]
    assert all(
        len(one.text) <= LONGEST and one.text.startswith("Абзац") and one.category == "Перевозка" for one in found
    )


@pytest.mark.parametrize("text", ["слово " * 3000, "б" * 9000, "Одно. " * 2000, "строка\n" * 2000, "", " \n "])
def test_parts_lose_no_letter_and_fit(text: str) -> None:
    found = parts(text)
    assert all(0 < len(part) <= LONGEST for part in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_search_among_thousands_is_quick_and_right() -> None:
    many = [SimpleNamespace(title=f"Статья {n}", category="", text=f"слово{n} общее " * 5) for n in range(3000)]
    index = Index(many)
    assert index.find("слово2718 общее", 3)[0].place == 2718
    assert len(index.find("общее", 7)) <= 7
    assert Index(()).find("слово", 5) == []


async def test_found_over_http_and_attached_to_the_prompt(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=("base",)))
    text = " ".join(f"Дом {number}: курьер приедет в {number + 5} часов." for number in range(200))
    async with desk.database.unit() as unit:
        await unit.articles.replace("a", [NewArticle("Доставка <b>", text, "Заказы")])
        await unit.commit()
    token = await make_token(desk)
    async with desk.client(token) as client:
        found = (await client.get("/v1/knowledge", params={"q": "когда доставят, курьеры?"})).json()
        only = (await client.get("/v1/knowledge")).json()
        (article,) = found["articles"]
        attached = [{"title": article["title"], "text": article["text"][:300]}]
        answer = await client.post("/v1/suggestions", json={"question": "Где заказ?", "articles": attached})
        too_many = await client.post("/v1/suggestions", json={"question": "Где заказ?", "articles": attached * 6})
    assert found["total"] == 1 and article["title"] == "Доставка <b>" and len(article["text"]) == LONGEST
    assert only == {"total": 1, "articles": []}
    assert "курьер приедет" in answer.json()["suggestions"][0]["text"]
    assert too_many.status_code == 422
