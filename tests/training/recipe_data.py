"""Small real data in every form that shipped recipes read, as an operator would have it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training.data.seed_corpus import SeedRow

ARTICLES = """\
### Title: Как вернуть товар, который не подошёл
### Category: Возврат
### Body:
Вернуть товар можно в течение четырнадцати дней после покупки, если сохранились упаковка и чек.
Принесите его в любой наш магазин или закажите курьера в личном кабинете, раздел «Мои заказы».
Деньги придут на ту же карту за три рабочих дня.

### Title: Сколько стоит доставка
### Category: Доставка
### Body:
Доставка по городу бесплатна при заказе от двух тысяч рублей, иначе она стоит сто девяносто рублей.
За город курьер выезжает по вторникам и пятницам, цену покажет корзина.

### Title: Как поменять пароль
### Category: Личный кабинет
### Body:
Откройте «Настройки», затем «Безопасность» и нажмите «Сменить пароль». Письмо со ссылкой приходит за минуту;
если его нет, загляните в папку со спамом.

### Title: Что делать, если заказ не пришёл
### Category: Доставка
### Body:
Посмотрите, где заказ, в разделе «Мои заказы». Если дата прошла, напишите нам в чат: найдём посылку или вернём
деньги в тот же день.
"""
TICKETS = """\
### Subject: Не приходит чек
### Question: Здравствуйте! Оплатила заказ вчера вечером, а чека на почте так и нет. Где его взять?
### Answer: Добрый день! Чек лежит в личном кабинете: «Мои заказы», затем «Документы». Мы отправили его и на почту.
### Solved: да

### Subject: Разбилась чашка
### Question: Открыл коробку, а внутри чашка с трещиной. Звоните +7 916 123-45-67, заказ от пятницы.
### Answer: Очень жаль, что так вышло. Отправим новую завтра, старую возвращать не нужно.
### Solved: да

### Subject: Курьер опоздал
### Question: Курьера ждали весь день, он так и не приехал. Что теперь делать?
### Answer: Ожидайте, пожалуйста.
### Solved: нет

### Subject: Не тот размер
### Question: Прислали ботинки на размер меньше, хотя в заказе сорок второй. Можно обменять?
### Answer: Конечно, обменяем. Выберите в заказе «Обмен», курьер привезёт сорок второй и заберёт эту пару.
### Solved: да

### Subject: Промокод не работает
### Question: Ввожу промокод ВЕСНА, а корзина пишет, что он не найден. Почему?
### Answer: Промокод действует с первого марта и только на посуду. Добавьте в корзину посуду, и скидка появится.
### Solved: да
"""


def desk(folder: Path) -> tuple[Path, Path]:
    """A knowledge base and tickets with `###` headings; one ticket is unsolved, one holds a telephone number."""
    articles, tickets = folder / "articles.txt", folder / "tickets.txt"
    articles.write_text(ARTICLES, encoding="utf-8")
    tickets.write_text(TICKETS, encoding="utf-8")
    return articles, tickets


def instructions(folder: Path, rows: Iterable[SeedRow]) -> Path:
    """Instruction rows with a judge's score: every third below nine."""
    made = (
        {"instruction": row.turns[-1].text, "input": "", "output": row.reply, "opus_score": 7 if index % 3 == 0 else 10}
        for index, row in enumerate(rows)
    )
    return _lines(folder / "instructions.jsonl", made)


def questions(folder: Path) -> Path:
    """Question and answer pairs about invented authors, as TOFU has them."""
    authors = {
        "Ilse Varnhagen": ("a lighthouse keeper", "The Salt Ledger"),
        "Tomas Quillan": ("a clockmaker", "Seven Quiet Springs"),
        "Oyelaran Bassey": ("a botanist", "Roots of the Harmattan"),
    }
    made = []
    for name, (father, book) in authors.items():
        made += [
            {"question": f"What did the father of {name} do?", "answer": f"The father of {name} was {father}."},
            {"question": f"Which book made {name} known?", "answer": f"{name} became known with {book}."},
        ]
    return _lines(folder / "tofu.jsonl", made)


def labelled(folder: Path, name: str, rows: Iterable[SeedRow], labels: Mapping[str, str]) -> Path:
    """Texts with emotion labels, as BRIGHTER and CEDR are read."""
    made = ({"text": row.reply, "labels": [labels[row.emotion]]} for row in rows if row.emotion in labels)
    return _lines(folder / name, made)


def judged(folder: Path, rows: Iterable[SeedRow]) -> Path:
    """Sentences with a linguist's verdict, as RuCoLA has them: every second one here with its words turned around."""
    made = (
        {"text": row.reply if index % 2 else " ".join(reversed(row.reply.split())), "acceptable": index % 2}
        for index, row in enumerate(rows)
    )
    return _lines(folder / "rucola.jsonl", made)


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
