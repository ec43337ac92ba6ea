"""HTML to text, letters without what they quote, names in all their forms; and the sections that readers take."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.presets import Presets
from training.data.helpdesk.desk import Article, Message, Ticket
from training.data.helpdesk.forms import article_fields, section, ticket_fields
from training.data.helpdesk.texts import letter, plain, scrubber, unscrubbed
from training.data.reading.source import Rows, Source
from training.data.rows import Answer


def test_html_becomes_lines_as_read_aloud() -> None:
    html = (
        "<style>p{color:red}</style><p>Шаг&nbsp;1: нажмите <b>«Пуск»</b>.<br/>Готово &mdash; и всё.</p>"
        "<ul><li>раз</li><li>два</li></ul><table><tr><td>Цена</td><td>5 руб.</td></tr></table><img src='x.png'>"
    )
    assert plain(html) == "Шаг 1: нажмите «Пуск».\nГотово — и всё.\n\n— раз\n— два\n\nЦена 5 руб."


def test_plain_text_stays_as_it_is() -> None:
    assert plain("Если a < b и b > c,\r\nто &amp; ничего.") == "Если a < b и b > c,\nто &amp; ничего."


@pytest.mark.parametrize(
    "html",
    [
        "<div>Не работает!</div><blockquote>Вы писали: всё хорошо</blockquote>",
        '<div>Не работает!</div><div title="beforequote:::">---- 1 мая писали ----</div><div>старое</div>',
        "Не работает!\n\n-----Исходное сообщение-----\nОт: поддержка\nВсё хорошо",
        "Не работает!\n> всё хорошо\n> честно",
    ],
)
def test_a_letter_is_its_writers_own_words(html: str) -> None:
    assert letter(html) == "Не работает!"


def test_known_names_go_in_every_case_form() -> None:
    text = "Анна, позвоните Анне Кузнецовой, а с Петром Волковым и Павлом говорил анналист из Волгограда."
    assert scrubber()(text, ["Анна", "Кузнецова", "Пётр", "Волков", "Павел"]) == (
        "<ИМЯ>, позвоните <ИМЯ>, а с <ИМЯ> и <ИМЯ> говорил анналист из Волгограда."
    )


def test_a_contact_that_is_called_by_a_common_word_hides_no_words() -> None:
    assert scrubber()("Клиент доволен. Поддержка тоже.", ["Клиент", "Поддержка"]) == "Клиент доволен. Поддержка тоже."


def test_a_foreign_name_goes_as_it_stands() -> None:
    assert scrubber()("Hello John, это Smithson.", ["John Smithson"]) == "Hello <ИМЯ>, это <ИМЯ>."


def test_names_of_two_letters_and_no_names_change_nothing() -> None:
    assert scrubber()("Ян сказал: я на всё согласен.", ["Ян"]) == "Ян сказал: я на всё согласен."
    assert unscrubbed("8 916 123-45-67", ["Анна"]) == "8 916 123-45-67"


def ticket(*messages: tuple[str, str], solved: bool | None = True) -> Ticket:
    written = tuple(Message(role=role, time="", text=text) for role, text in messages)
    return Ticket(id="1", subject="Тема", status="", solved=solved, messages=written)


def test_all_letters_before_the_first_reply_are_the_question() -> None:
    letters = [("customer", "Раз."), ("customer", "Два."), ("agent", "Ответ."), ("customer", "Три."), ("agent", "Ага.")]
    fields = ticket_fields(ticket(*letters))
    assert isinstance(fields, dict)
    assert (fields["question"], fields["answer"], fields["solved"]) == ("Раз.\n\nДва.", "Ответ.", True)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (ticket(("customer", "Раз."), ("agent", "Два."), solved=None), "open"),
        (ticket(("customer", "Раз.")), "unanswered"),
        (ticket(("agent", "Рассылка.")), "without question"),
    ],
)
def test_what_teaches_nothing_says_why(one: Ticket, reason: str) -> None:
    assert ticket_fields(one) == reason


def test_text_that_looks_like_a_heading_is_read_back_as_text(tmp_path: Path, presets: Presets) -> None:
    bodies = ["Первый.\n### Title\nвнутри\n\\### Body", "### Category\nвсё ещё текст"]
    path = tmp_path / "articles.txt"
    articles = [Article(id=str(n), locale="ru", title=f"Статья {n}", body=body) for n, body in enumerate(bodies)]
    path.write_text("".join(section(article_fields(one), ("title", "category", "body")) for one in articles))
    rows = list(Rows(Source(path=path, read="knowledge_base"), presets))
    assert [row.answer for row in rows if isinstance(row, Answer)] == bodies
