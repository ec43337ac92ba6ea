"""Articles and tickets under `###` headings: every text that was written into them comes out again."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.presets import Presets
from tests.training.reading.conftest import Read
from training.data.reading import ReadError, Source, open_source
from training.data.rows import Answer, Feedback

ARTICLES = (
    "### Title",
    "Как сбросить пароль?",
    "### Category",
    "Учётная запись",
    "### Body",
    "1. Откройте «Настройки».",
    "",
    "### Если не помогло",
    "Напишите нам.",
    "### Title: Как вернуть товар",
    "### Category:",
    "Возврат",
    "### Body",
    "\\### Title не заголовок",
)
TICKETS = (
    "### Subject",
    "Не приходит письмо",
    "### Question",
    "Жду уже час.",
    "### Answer",
    "Проверьте папку «Спам».",
    "### Solved",
    "Да",
    "### Тема",
    "Счёт",
    "### Вопрос",
    "Где счёт за май?",
    "### Ответ",
    "Не знаю.",
    "### Решено",
    "нет.",
)


def test_a_knowledge_base_asks_by_title_and_answers_by_body(text: Callable[..., Path], read: Read) -> None:
    first, second = read(text(*ARTICLES))
    assert isinstance(first, Answer) and isinstance(second, Answer)
    assert (first.prompt[0].text, first.tags) == ("Как сбросить пароль?", {"category": "Учётная запись"})
    assert first.answer == "1. Откройте «Настройки».\n\n### Если не помогло\nНапишите нам."
    assert (second.prompt[0].text, second.answer) == ("Как вернуть товар", "### Title не заголовок")
    assert (first.origin, second.origin) == ("data.txt:1", "data.txt:10")


def test_tickets_are_tagged_by_their_outcome(text: Callable[..., Path], read: Read) -> None:
    rows = read(text(*TICKETS))
    assert [(row.prompt[0].text, row.answer, row.tags["outcome"]) for row in rows if isinstance(row, Answer)] == [
        ("Не приходит письмо\n\nЖду уже час.", "Проверьте папку «Спам».", "success"),
        ("Где счёт за май?", "Не знаю.", "failure"),
    ]


def test_tickets_become_thumbs_when_asked(text: Callable[..., Path], read: Read) -> None:
    rows = read(text(*TICKETS), read="tickets", kind="feedback")
    assert [(row.answer, row.desirable) for row in rows if isinstance(row, Feedback)] == [
        ("Проверьте папку «Спам».", True),
        ("Не знаю.", False),
    ]


def test_word_documents_hold_articles_in_paragraphs_and_tables(docx: Callable[..., Path], read: Read) -> None:
    table = [["### Title", "Как оплатить?"], ["### Body\nКартой.", "Или так:"], ["Код", "12"]]
    rows = read(docx(ARTICLES, table, "Вот и всё."))
    answers = [(row.prompt[0].text, row.answer) for row in rows if isinstance(row, Answer)]
    assert answers[0][1].endswith("Напишите нам.")
    assert answers[2] == ("Как оплатить?", "Картой.\nИли так:\nКод\t12\nВот и всё.")
    assert [row.origin for row in rows] == [
        "base.docx: paragraph 1",
        "base.docx: paragraph 10",
        "base.docx: table 1, row 1",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("### Title", "А", "### Body", "б", "### Tilte", "В"), r"data\.txt:5: '### Tilte': is '### Title' meant\?"),
        (("### Title", "А", "### Body", "б", "### Body", "в"), r"data\.txt:5: body: stands twice"),
        (("### Title", "А", "### Category", "б"), r"data\.txt:1: body: is missing"),
        (("### Title", "", "### Body", "б"), r"data\.txt:1: title: expected a text, got an empty one"),
        (("База знаний", "", "### Title", "А", "### Body", "б"), r"data\.txt:1: expected '### Title' before any text"),
    ],
)
def test_faults_of_articles_name_their_line(
    text: Callable[..., Path], read: Read, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ReadError, match=message):
        read(text(*lines), read="knowledge_base")


def test_an_outcome_must_be_clear(text: Callable[..., Path], read: Read) -> None:
    path = text(*TICKETS[:7], "наверное")
    with pytest.raises(ReadError, match=r"data\.txt:1: solved: expected yes or no \(да/нет"):
        read(path, read="tickets")


def test_unanswered_tickets_are_left_out_and_counted(text: Callable[..., Path], presets: Presets) -> None:
    rows = open_source(Source(path=text(*TICKETS[:5], *TICKETS[6:]), read="tickets"), presets)
    assert [row.tags["outcome"] for row in rows] == ["failure"]
    assert (rows.counts.records, rows.counts.rows, rows.counts.left_out) == (2, 1, 1)


def test_paragraphs_are_texts_when_asked(text: Callable[..., Path], read: Read) -> None:
    path = text("Мороз и солнце;", "день чудесный!", "", "Ещё ты дремлешь,", "друг прелестный")
    assert [(row.text, row.origin) for row in read(path, unit="paragraph")] == [  # type: ignore[attr-defined]
        ("Мороз и солнце;\nдень чудесный!", "data.txt:1"),
        ("Ещё ты дремлешь,\nдруг прелестный", "data.txt:4"),
    ]
    assert len(read(path)) == 4


LINE = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30) | st.sampled_from(
    ["### Title", "###", "\\### Body", "\\\\### x", "## Title", "#### Title", "  ### Category: а", "### Titel", "---"]
)
WORDS = st.lists(LINE, min_size=1, max_size=5).map(lambda lines: "\n".join(lines).strip()).filter(bool)


def _written(words: str) -> str:
    """A person who writes `###` into an article puts a backslash before it."""
    return "\n".join(re.sub(r"^(\\*###)", r"\\\1", line.strip()) for line in words.split("\n"))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(articles=st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4))
def test_articles_round_trip(tmp_path: Path, presets: Presets, articles: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "a.txt"
    blocks = [
        f"### Title\n{_written(t)}\n### Category\n{_written(c)}\n### Body\n{_written(b)}\n" for t, c, b in articles
    ]
    path.write_text("\n".join(blocks), encoding="utf-8", newline="")
    rows = list(open_source(Source(path=path, read="knowledge_base"), presets))
    stripped = [tuple("\n".join(line.strip() for line in part.split("\n")) for part in one) for one in articles]
    assert [
        (row.prompt[0].text, row.tags["category"], row.answer) for row in rows if isinstance(row, Answer)
    ] == stripped


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    tickets=st.lists(
        st.tuples(WORDS, WORDS, st.sampled_from([("да", True), ("No", False), ("решено", True), ("Не решено", False)])),
        min_size=1,
        max_size=4,
    )
)
def test_tickets_round_trip(tmp_path: Path, presets: Presets, tickets: list[tuple[str, str, tuple[str, bool]]]) -> None:
    path = tmp_path / "a.txt"
    blocks = [
        f"### Subject\n### Question\n{_written(q)}\n### Answer\n{_written(a)}\n### Solved\n{word}\n"
        for q, a, (word, _) in tickets
    ]
    path.write_text("".join(blocks), encoding="utf-8", newline="")
    rows = list(open_source(Source(path=path, read="tickets", kind="feedback"), presets))
    assert [(row.answer, row.desirable) for row in rows if isinstance(row, Feedback)] == [
        ("\n".join(line.strip() for line in a.split("\n")), solved) for _, a, (_, solved) in tickets
    ]
