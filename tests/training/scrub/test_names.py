"""People's names are found by natasha where it is installed; without it one sentence says what to do."""

from __future__ import annotations

import sys

import pytest

from training.data.scrub import scrub
from training.data.scrub.names import NamesUnavailable, PersonNames


@pytest.fixture(scope="module")
def names() -> PersonNames:
    return PersonNames()


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Меня зовут Анна Петрова, а брата Иван.", "Меня зовут <ИМЯ>, а брата <ИМЯ>."),
        ("Вчера Саша и Оля ездили к бабушке Нине Ивановне.", "Вчера <ИМЯ> и <ИМЯ> ездили к бабушке <ИМЯ>."),
        ("Заказ оформила Кузнецова Мария Сергеевна.", "Заказ оформила <ИМЯ>."),
        ("ИВАНОВ ПЁТР ждёт звонка", "<ИМЯ> ждёт звонка"),
        ("Клиент: СИДОРОВА АННА ПАВЛОВНА, договор", "Клиент: <ИМЯ>, договор"),
        ("МОЯ ФАМИЛИЯ ПЕТРОВ, ПОЗОВИТЕ ЕЛЕНУ СЕРГЕЕВНУ", "МОЯ ФАМИЛИЯ ПЕТРОВ, ПОЗОВИТЕ <ИМЯ>"),
        ("Вчера Анна Петрова писала ИВАНУ СИДОРОВУ.", "Вчера <ИМЯ> писала <ИМЯ>."),
        ("Позвоните Андрею: 8 916 123-45-67.", "Позвоните <ИМЯ>: <ТЕЛЕФОН>."),
    ],
)
def test_names_leave_the_text(names: PersonNames, text: str, scrubbed: str) -> None:
    assert scrub(text, names=names)[0] == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "В Августе и Марте было холодно.",
        "Алиса от Яндекса поставила музыку.",
        "Москва и Тверь стоят на реках.",
        "Сбербанк не отвечает.",
        "ПОЧЕМУ НЕ РАБОТАЕТ КАРТА СБЕРБАНКА В МОСКВЕ",
        "США и МГУ подписали ДОГОВОР, а ООО РОМАШКА нет.",
        "Я ЖЕ ПРОСИЛ СРОЧНО, ОТВЕТЬТЕ уже",
        "<ТЕЛЕФОН> <ИМЯ> <АДРЕС>",
        "просто строчка без имён",
    ],
)
def test_months_cities_firms_and_placeholders_stay(names: PersonNames, text: str) -> None:
    assert scrub(text, names=names)[0] == text


def test_words_of_ones_own_may_be_kept() -> None:
    assert scrub("Вчера Пушкин победил.", names=PersonNames(keep=["Пушкин"]))[0] == "Вчера Пушкин победил."
    assert scrub("Вчера Пушкин победил.", names=PersonNames())[0] == "Вчера <ИМЯ> победил."


def test_scrubbing_names_twice_changes_nothing_more(names: PersonNames) -> None:
    once, counts = scrub("Анна Петрова живёт на ул. Ленина, д. 5.", names=names)
    assert counts == {"ИМЯ": 1, "АДРЕС": 1}
    assert scrub(once, names=names)[0] == once


def test_without_natasha_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "natasha", None)
    finder = PersonNames()
    assert scrub("ни одной заглавной", names=finder)[0] == "ни одной заглавной"
    with pytest.raises(NamesUnavailable, match="pip install 'natasha"):
        scrub("Позвоните Андрею.", names=finder)
