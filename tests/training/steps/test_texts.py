"""`clean`, `strip_markup`, `scrub`: what changes, and that ordinary Russian does not."""

import pytest

from storage.contracts import Turn
from tests.training.steps.conftest import Apply
from training.data.rows import Answer, Dialogue, Pair, Text
from training.data.steps.clean import Clean, cleaned
from training.data.steps.mail import without_tail
from training.data.steps.markup import StripMarkup, without_html, without_markdown
from training.data.steps.scrubbing import Scrub


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("е\u0308лка и и\u0306од", "ёлка и йод"),
        ("Мно\u200bго\ufeff  пробе\u00adлов\u00a0\u2003тут \u202e", "Много пробелов тут"),
        ("строка\r\nвторая\r\n\r\n\r\n\r\nтретья\u2028конец", "строка\nвторая\n\nтретья\nконец"),
        ("&laquo;Да&raquo &amp;quot;нет&amp;quot; &#1087;ока & nbsp ;всё &amp; ничего", '«Да» "нет" пока всё & ничего'),
        ("магазин R&D, http://x.ru/?a=1&copy=2", "магазин R&D, http://x.ru/?a=1&copy=2"),
        ("РџСЂРёРІРµС‚, РєР°Рє РґРµР»Р°?", "Привет, как дела?"),
        ("Слово СССР и РСФСР", "Слово СССР и РСФСР"),
        ("семья 👨\u200d👩\u200d👧 и ❤️\u200d🔥, сло\u200dво", "семья 👨\u200d👩\u200d👧 и ❤️\u200d🔥, слово"),
        ("вот:\n```\nif  x:\u00a0\n    y()\n```", "вот:\n```\nif x:\n    y()\n```"),
        ("звонок\u0007 и\u0000 ноль", "звонок и ноль"),
    ],
)
def test_characters_become_ordinary(dirty: str, clean: str) -> None:
    assert cleaned(dirty) == clean
    assert cleaned(clean) == clean


@pytest.mark.parametrize("part", [Clean(), StripMarkup()])
def test_the_seed_corpus_is_left_as_it_is(part: Clean | StripMarkup, seed_answers: list[Answer], apply: Apply) -> None:
    rows, counts = apply(part, seed_answers)
    assert rows == seed_answers and counts.changed == 0


def test_a_row_whose_text_was_only_rubbish_is_dropped(apply: Apply) -> None:
    rows, counts = apply(Clean(), [Text(text="\u200b\ufeff "), Text(text="дело")])
    assert [row.text for row in rows] == ["дело"] and counts.dropped == {"empty": 1}
    rows, counts = apply(StripMarkup(), [Text(text="<img src='a.png'>"), Text(text="![схема](b.png) вот")])
    assert [row.text for row in rows] == ["вот"] and counts.dropped == {"only_markup": 1}


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<p>Как <b>оформить</b>&nbsp;возврат?</p>", "\nКак оформить&nbsp;возврат?\n"),
        ("Шаги:<ul><li>чек<li>коробка</ul>", "Шаги:\n— чек\n— коробка\n"),
        ('смотрите <a href="http://x.ru?q=a>b" title=x>тут</a>', "смотрите тут"),
        ("до<script>alert(1 < 2)</script><!-- нет --><style>p{}</style> после", "до после"),
        ("Если x < 3 и y > 2, то a<b и c>d, <ТЕЛЕФОН>", "Если x < 3 и y > 2, то a<b и c>d, <ТЕЛЕФОН>"),
        ("первая<br/>вторая<BR>третья", "первая\nвторая\nтретья"),
        ("<tr><td>да</td><td>нет</td></tr>", "\nда нет\n"),
    ],
)
def test_html_becomes_lines_of_words(html: str, plain: str) -> None:
    assert without_html(html) == plain


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("# Возврат #\nтекст", "Возврат\nтекст"),
        ("это **очень _важно_** и ~~нет~~", "это очень важно и нет"),
        ("см. [правила](https://e.ru/a_(b)) и ![чек](a.png)<https://e.ru>", "см. правила и https://e.ru"),
        (
            "**Код `a*b`**:\n```python\n# нет\nx = a  * __b__\n```\nи `__init__`",
            "Код a*b:\n# нет\nx = a  * __b__\nи __init__",
        ),
        ('файлы "*.*", Г`россию люблю, тепег`', 'файлы "*.*", Г`россию люблю, тепег`'),
        ("| а | б |\n|---|:-:|\n| 1 | 2 |", "а б\n1 2"),
        ("до\n\n---\nпосле", "до\n\nпосле"),
        ("имя_файла_тут, 2*3*4, 5 * 3 = 15 * 1, \\*не курсив\\*", "имя_файла_тут, 2*3*4, 5 * 3 = 15 * 1, *не курсив*"),
        ("— Кто там?\n- пункт\n1. раз", "— Кто там?\n- пункт\n1. раз"),
    ],
)
def test_markdown_becomes_its_words(markdown: str, plain: str) -> None:
    assert without_markdown(markdown) == plain


@pytest.mark.parametrize(
    ("letter", "own"),
    [
        ("Посылка не пришла.\n\n12.03.2024, 10:15, Иван <i@mail.ru> пишет:\n> Где она?", "Посылка не пришла."),
        ("Спасибо!\nпн, 4 мар. 2024 г. в 10:12, Поддержка <help@shop.ru>:\n> текст", "Спасибо!"),
        ("Спасибо!\nпн, 4 мар. 2024 г. в 10:12, Поддержка <<ПОЧТА>>:\n> текст", "Спасибо!"),
        ("Не входит.\n-----Исходное сообщение-----\nОт: а\nстарое", "Не входит."),
        ("Готово.\nOn Mon, 4 Mar 2024 at 10:12, Anna wrote:\n> old", "Готово."),
        ("Да.\n\nОт: Анна\nОтправлено: 5 мая\nКому: Пётр\nТема: счёт\n\nстарое", "Да."),
        ("Когда привезут?\n\nОтправлено из мобильной Почты Mail.ru", "Когда привезут?"),
        ("Привет!\n-- \nАнна Иванова\nотдел продаж", "Привет!"),
        ("> где заказ?\nЕдет.\n> а счёт?\nВыставлен.", "Едет.\nВыставлен."),
        ("---------- Forwarded message ---------\nПрошу вернуть деньги", "Прошу вернуть деньги"),
        ("> одна цитата", "> одна цитата"),
        ("Он писал: приеду 5 мая.\nОт: нас - вам", "Он писал: приеду 5 мая.\nОт: нас - вам"),
    ],
)
def test_a_letter_keeps_its_own_words(letter: str, own: str) -> None:
    assert without_tail(letter) == own


def test_web_mail_loses_what_it_quotes() -> None:
    quoted = '<div class="gmail_quote">пн, 4 мар.<blockquote type="cite"><p>старое</p></blockquote></div>'
    assert StripMarkup().stripped(f"<div>Спасибо!</div>{quoted}") == "Спасибо!"
    assert "старое" in StripMarkup().stripped(quoted)


def test_every_text_of_a_row_is_changed(apply: Apply) -> None:
    turns = (Turn(role="user", text="<b>Раз</b>"), Turn(role="assistant", text="*два*"))
    rows, counts = apply(
        StripMarkup(),
        [
            Dialogue(turns=turns, system="<i>три</i>"),
            Pair(prompt=turns[:1], chosen="<p>да</p>", rejected="# нет"),
        ],
    )
    dialogue, pair = rows
    assert isinstance(dialogue, Dialogue) and [turn.text for turn in dialogue.turns] == ["Раз", "два"]
    assert dialogue.system == "три" and counts.changed == 2
    assert isinstance(pair, Pair) and (pair.chosen, pair.rejected) == ("да", "нет")


def test_personal_data_is_replaced_and_counted(apply: Apply) -> None:
    row = Answer(
        prompt=(Turn(role="user", text="Мой номер +7 916 123-45-67, почта anna@mail.ru"),),
        answer="Записал anna@mail.ru.",
    )
    rows, counts = apply(Scrub(), [row])
    assert rows[0].prompt[0].text == "Мой номер <ТЕЛЕФОН>, почта <ПОЧТА>"
    assert rows[0].answer == "Записал <ПОЧТА>."
    assert counts.found == {"ТЕЛЕФОН": 1, "ПОЧТА": 2} and counts.as_json()["changed"] == 1
    rows, _ = apply(Scrub(kinds=("phone",)), [row])
    assert rows[0].answer == "Записал anna@mail.ru."
    with pytest.raises(ValueError, match=r"there is no 'phones'; kinds are .*phone"):
        Scrub(kinds=("phones",))
