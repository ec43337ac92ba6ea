"""A small desk in Russian for tests: invented people, numbers and troubles, the same at every call.

Knows the fields of Zoho Desk's records, no server.
"""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
TROUBLES = (
    ("Не приходит код", "Жду код подтверждения уже час, а его нет.", "Проверьте, не закрыт ли приём коротких номеров."),
    ("Двойное списание", "С карты 4111 1111 1111 1111 деньги ушли дважды!", "Второе списание вернётся за три дня."),
    ("Не открывается приложение", "После обновления оно закрывается.", "Удалите приложение и поставьте его снова."),
    ("Смена адреса", "Привезите, пожалуйста, на ул. Садовая, д. 7, кв. 12.", "Адрес изменён, курьер приедет завтра."),
    ("Вход в кабинет", "Не могу войти, мой телефон 8 (916) 123-45-67.", "Нажмите «Забыли пароль» и задайте новый."),
)
CATEGORIES = ("Оплата", "Доставка", "Приложение")
STATUSES = (("Закрыт", "Closed"), ("Закрыт", "Closed"), ("Отказ", "Closed"), ("Открыт", "Open"))


def moment(number: int) -> str:
    """Times an hour apart, as the API writes them; every third is the same as the one before."""
    hour = number - number % 3 // 2
    return f"2024-{1 + hour // 672 % 12:02}-{1 + hour // 24 % 28:02}T{hour % 24:02}:00:00.000Z"


def articles(count: int) -> list[Record]:
    """Every fifth is a draft, every fourth is English with a Russian translation."""
    return [article(number) for number in range(count)]


def article(number: int) -> Record:
    subject, _, advice = TROUBLES[number % len(TROUBLES)]
    russian = {
        "id": str(710000000000000000 + number),
        "title": f"{subject}: что делать, часть {number}",
        "answer": f"<div><h2>{subject}</h2><p>{advice}</p><ul><li>Шаг&nbsp;первый.</li><li>Шаг второй.</li></ul>"
        f"<p>Остались вопросы? Пишите на help{number}@example.ru.</p><script>alert(1)</script></div>",
        "locale": "ru",
        "status": "Draft" if number % 5 == 4 else "Published",
        "createdTime": moment(number),
        "modifiedTime": moment(number + 500),
        "summary": advice,
        "category": {"id": "5", "name": CATEGORIES[number % 3], "locale": "ru"},
        "availableLocaleTranslations": [{"locale": "ru"}],
        "translations": {},
    }
    if number % 4 != 3:
        return russian
    english = {**russian, "title": f"What to do, part {number}", "answer": "<p>Try again.</p>", "locale": "en"}
    translation = {key: value for key, value in russian.items() if key != "translations"}
    locales = [{"locale": "en"}, {"locale": "ru"}]
    return {**english, "availableLocaleTranslations": locales, "translations": {"ru": translation}}


def tickets(count: int) -> list[Record]:
    """Of four tickets two are solved, one is closed unsolved, one is open; every seventh has no reply."""
    return [ticket(number) for number in range(count)]


def ticket(number: int) -> Record:
    subject, question, advice = TROUBLES[number % len(TROUBLES)]
    status, status_type = STATUSES[number % len(STATUSES)]
    closed = status_type == "Closed"
    customer = {"firstName": "Анна", "lastName": "Кузнецова", "name": "Анна Кузнецова", "type": "END_USER"}
    agent = {"firstName": "Пётр", "lastName": "Волков", "name": "Пётр Волков", "type": "AGENT"}
    letters = [("in", customer, f"<p>{question}</p><p>С уважением, Анна Кузнецова</p>")]
    if number % 7 != 6:
        greeting = "<p>Здравствуйте, Анна!</p>"
        letters += [
            ("out", agent, f"{greeting}<p>{advice} {' '.join([advice] * (number % 3))}</p><p>Пётр</p>"
             f"<blockquote>{question}</blockquote>"),
            ("in", customer, "<p>Спасибо!</p>"),
            ("out", agent, "<p>Рады помочь.</p>"),
        ]  # fmt: skip
    return {
        "id": str(830000000000000000 + number),
        "ticketNumber": str(101 + number),
        "subject": subject,
        "description": f"<p>{question}</p>",
        "status": status,
        "statusType": status_type,
        "category": CATEGORIES[number % 3],
        "departmentId": str(11 + number % 2),
        "createdTime": moment(number),
        "closedTime": moment(number + 9) if closed else None,
        "isSpam": number % 50 == 49,
        "contactId": str(310000000000000000 + number % 9),
        "contact": {"firstName": "Анна", "lastName": "Кузнецова", "email": "anna@example.ru"},
        "threads": [thread(number, place, *letter) for place, letter in enumerate(letters)],
    }


def thread(number: int, place: int, direction: str, author: Record, content: str) -> Record:
    return {
        "id": str(920000000000000000 + 10 * number + place),
        "direction": direction,
        "visibility": "public",
        "status": "SUCCESS",
        "channel": "EMAIL",
        "createdTime": moment(number + place),
        "summary": content[:40],
        "author": author,
        "content": content,
        "contentType": "text/html",
    }
