"""Personal data leaves texts, prices and dates stay: measured on the sentences beside this file.

First runs, before anything was mended (exact spans): `unseen.txt` (51 spans, 59 sentences without any) precision and
recall 0.96, all found, none too many, two borders off; `awkward.txt`, written to be hard, precision 0.83, recall 0.79.
Both have been worked through since, so the tests ask for more. All lists are by the author of the patterns: strangers'
texts will score between those first runs and these.
"""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.scrub import ALL, Kind, find, scrub
from training.data.scrub.checksums import inn, luhn, snils

MARK = re.compile(r"\{([А-ЯЁ]+)\|([^}]*)\}")
MARKS = re.compile("|".join(kind.placeholder for kind in Kind))
Found = tuple[int, int, str]


def marked(name: str) -> list[tuple[str, list[Found]]]:
    """Sentences of a list without their marks, and what the marks say."""
    rows = []
    for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        text, spans, position = "", [], 0
        for mark in MARK.finditer(line):
            text += line[position : mark.start()]
            spans.append((len(text), len(text) + len(mark[2]), mark[1]))
            text += mark[2]
            position = mark.end()
        rows.append((text + line[position:], spans))
    return rows


@pytest.mark.parametrize(("name", "sentences"), [("sentences.txt", 120), ("unseen.txt", 100), ("awkward.txt", 50)])
def test_precision_and_recall_on_hand_written_sentences(name: str, sentences: int) -> None:
    rows = marked(name)
    assert len(rows) >= sentences
    expected = {(row, *span) for row, (_, spans) in enumerate(rows) for span in spans}
    found = {(row, s.start, s.end, s.kind.value) for row, (text, _) in enumerate(rows) for s in find(text)}
    missed = [rows[row][0] for row, *_ in expected - found]
    wrong = [rows[row][0][start:end] for row, start, end, _ in found - expected]
    assert len(expected & found) / len(expected) >= 0.98, f"missed in: {missed}"
    assert len(expected & found) / len(found) >= 0.98, f"should have stayed: {wrong}"


def test_a_support_letter_reads_on_without_its_owner() -> None:
    text, counts = scrub(
        "Здравствуйте! Заказ 1234567890 на 4 990 рублей от 12.05.2021 не пришёл. Мой телефон 8 (916) 123-45-67, "
        "почта anna@example.ru, адрес: г. Москва, ул. Ленина, д. 5, кв. 12. Карта 4111 1111 1111 1111."
    )
    assert text == (
        "Здравствуйте! Заказ 1234567890 на 4 990 рублей от 12.05.2021 не пришёл. Мой телефон <ТЕЛЕФОН>, "
        "почта <ПОЧТА>, адрес: <АДРЕС>. Карта <КАРТА>."
    )
    assert counts == {"ТЕЛЕФОН": 1, "ПОЧТА": 1, "АДРЕС": 1, "КАРТА": 1}


SPELLINGS = (
    "+7 {0} {1}-{2}-{3}",
    "8 ({0}) {1}-{2}-{3}",
    "8({0}){1}{2}{3}",
    "8-{0}-{1}-{2}-{3}",
    "8{0}{1}{2}{3}",
    "+7{0}{1}{2}{3}",
    "8 {0} {1} {2} {3}",
    "8.{0}.{1}.{2}.{3}",
    "+7 ({0}) {1} {2} {3}",
    "+7–{0}–{1}–{2}–{3}",
    "8 {0} {1}{2}{3}",
    "7{0}{1}{2}{3}",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_mobile_number_is_found_in_every_spelling(spelling: str) -> None:
    chance = random.Random(1)
    for code in ("903", "916", "921", "952", "977", "999"):
        digits = f"{chance.randrange(10**7):07}"
        phone = spelling.format(code, digits[:3], digits[3:5], digits[5:])
        assert scrub(f"Мой номер {phone}, звони.")[0] == "Мой номер <ТЕЛЕФОН>, звони."


def test_only_the_kinds_asked_for_are_hidden() -> None:
    text = "Пиши на a.b@example.ru или звони 8 916 123-45-67"
    assert scrub(text, {Kind.PHONE})[0] == "Пиши на a.b@example.ru или звони <ТЕЛЕФОН>"
    assert scrub(text, ())[0] == text


def test_an_address_in_a_link_is_part_of_the_link() -> None:
    assert scrub("https://maps.example.ru/?q=89161234567 тут") == ("<ССЫЛКА> тут", {"ССЫЛКА": 1})


def test_code_with_decorators_keeps_them() -> None:
    code = "@property\ndef name(self):\n    ...\n@app.task\n@lru_cache(maxsize=1)\nimport '@react-three/fiber'"
    assert scrub(code)[0] == code


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (luhn, "4111111111111111", "4111111111111112"),
        (snils, "11223344595", "11223344596"),
        (snils, "08765430200", "00000000000"),
        (inn, "7707083893", "7707083894"),
        (inn, "500100732259", "500100732258"),
    ],
)
def test_check_digits(check, right: str, wrong: str) -> None:  # type: ignore[no-untyped-def]
    assert check(right)
    assert not check(wrong)


def test_a_wrong_check_digit_is_another_number() -> None:
    text = "Число 4111 1111 1111 1112, номер 112-233-445 96, ещё 500100732258"
    assert scrub(text)[0] == text


PIECES = (
    "ул. |Ленина|, д. |5| кв. 12|8 916 123-45-67|@|ivan|.ru| |паспорт |45 10 123456|<|ТЕЛЕФОН>|www.|«|дом 7|проспект "
    "|Мира|4111 1111 1111 1111|тел. |12-34-56|https://|\n"
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES.split("|")), max_size=12).map("".join))
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = scrub(text)[0]
    assert scrub(once)[0] == once


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789 -.,()+@/:кдулпр№АЯ", max_size=80))
def test_only_found_spans_change(text: str) -> None:
    spans = find(text, ALL)
    assert all(left.end <= right.start for left, right in itertools.pairwise(spans))
    kept = iter(text)
    outside = MARKS.sub("", scrub(text)[0])
    assert all(character in kept for character in outside), "something was put in or moved"


def test_long_digit_runs_do_not_hang() -> None:
    for text in ("1 " * 4000, "ул. " * 2000, "А" * 8000 + " 5", "д. 5 кв. " * 1000, "Иван Петров Ленин " * 800):
        scrub(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Моя карта 4276 1234 5678 9012, спишите с неё", "Моя карта <КАРТА>, спишите с неё"),
        ("переведите на карту Сбера: 1234567812345678", "переведите на карту Сбера: <КАРТА>"),
        ("Оплатите на DE89 3704 0044 0532 0130 00 до пятницы", "Оплатите на <СЧЁТ> до пятницы"),
        ("IBAN: KZ86125KZT5004100100", "IBAN: <СЧЁТ>"),
        ("Я родился 12.03.1985 в Туле", "Я родился <РОЖДЕНИЕ> в Туле"),
        ("Иванова, д.р. 01.02.90, полис", "Иванова, д.р. <РОЖДЕНИЕ>, полис"),
        ("Дата рождения: 7 марта 1979 года", "Дата рождения: <РОЖДЕНИЕ> года"),
        ("пациент 1985 г.р., жалобы", "пациент <РОЖДЕНИЕ> г.р., жалобы"),
        ("мой день рождения 5/11/2001", "мой день рождения <РОЖДЕНИЕ>"),
    ],
)
def test_cards_by_their_name_ibans_and_dates_of_birth_leave(text: str, left: str) -> None:
    assert scrub(text)[0] == left


@pytest.mark.parametrize(
    "text",
    [
        "Карта в заказе 1234 5678 9012 3456 не пришла",
        "карта памяти на 64 ГБ за 2500 рублей",
        "Номер отправления 1234567812345678 не отслеживается",
        "GB29 NWBK 6016 1331 9268 18 – с ошибкой в последней цифре",
        "Заказ от 12.03.2021 не доставлен",
        "Нужен торт на день рождения 12.03.2024",
        "Он родился в 1985 году, а доставка была 3 мая",
        "Модель ZX81 2000 года и RU12 ABCD EFGH",
        "Акция до 01.02.24, д. 5",
    ],
)
def test_numbers_and_dates_of_other_things_stay(text: str) -> None:
    assert scrub(text)[0] == text
