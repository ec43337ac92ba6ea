"""How numbers become pages: templates, their words and filters. Knows no route and no storage."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot import wording
from bot.admin import names, texts
from bot.api.agreement import CARE, NOBODY, SAME
from storage.repositories.scores import WEIGHTS

FOLDER = Path(__file__).parent
CRITERIA = {"content": "содержание", "grammar": "грамматика", "structure": "построение", "style": "стиль"}
STATES = {
    "candidate": "ждёт решения",
    "canary": "канарейка",
    "live": "отвечает",
    "retired": "отвечала раньше",
    "rejected": "отклонена",
    "deleted": "удалена",
}
WHY = {
    NOBODY: "никто не оценил одно и то же вдвоём",
    SAME: "у всех одинаковые звёзды: согласие не отличить от случая",
    CARE: "мало ответов: доверять с осторожностью",
}
TABS = (
    ("", "Сейчас"),
    ("ratings", "Оценки"),
    ("adapters", "Версии"),
    ("jobs", "Обучение"),
    ("people", "Согласия"),
    ("audit", "Журнал"),
)


def environment() -> Environment:
    """Templates; everything that goes into a page is escaped."""
    found = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    found.globals.update(tabs=TABS, criteria=CRITERIA, states=STATES, weights=WEIGHTS, actions=texts.AUDIT_ACTIONS)
    found.filters.update(
        percent=wording.percent,
        stamp=wording.stamp,
        lasting=wording.lasting,
        short=names.adapter_name,
        number=wording.number,
        plural=wording.plural,
        form=_form,
        seconds=wording.seconds,
    )
    return found


def _form(count: int, one: str, few: str, many: str) -> str:
    """The word that goes with a number, without the number."""
    return wording.plural(count, one, few, many).split(" ", 1)[1]


TEMPLATES = environment()
