"""Ordering a refit: what there is to learn from, the method, the slot, the confirmation. Screens only."""

from __future__ import annotations

import secrets
from datetime import datetime

from aiogram.types import InlineKeyboardButton
from aiogram.utils.formatting import Bold, Text, as_list

from bot import wording as words
from bot.admin import callbacks as c
from bot.admin import texts
from bot.admin.names import slot_words
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.contracts import DataSummary
from storage.presets import Presets
from storage.repositories.slots import SHARED

# A running trainer asks for ratings every second.
SILENT = 60.0


def overview(summary: DataSummary | None, silence: float | None, admin: int, at: datetime) -> Screen:
    """The data and the methods. `silence`: seconds since a trainer asked for ratings, None: none ever did."""
    silent = silence is None or silence > SILENT
    warning = [Text(texts.NO_TRAINER)] if silent else []
    lines = [Bold(texts.RETRAIN_HEAD), *_data(summary, at), *warning, Text(texts.CHOOSE_METHOD)]
    methods = [
        [button(title, c.Order(admin=admin, step="slot", method=method))] for method, title in texts.METHODS.items()
    ]
    return Screen(as_list(*lines, sep="\n\n"), rows(*methods, [_to_panel(admin)]))


def _data(summary: DataSummary | None, at: datetime) -> list[Text]:
    if summary is None:
        return [Text(texts.NO_SUMMARY)]
    lines = [
        texts.ROWS_LINE.format(what=texts.ROWS.get(kind, kind), count=count) for kind, count in summary.rows.items()
    ]
    lines = [f"• {line}" for line in lines] or [texts.ROWS_NONE]
    lines.append(texts.PEOPLE_LINE.format(people=summary.people, ratings=summary.ratings))
    would = texts.WOULD_DO_NOTHING
    if summary.method is not None:
        would = texts.WOULD_DO.format(method=texts.METHOD_NAMES.get(summary.method, summary.method))
    parts = [
        Text(texts.RETRAIN_ROWS, "\n", "\n".join(lines)),
        Text("\n".join([would, *(f"• {reason}" for reason in summary.why)])),
        Text(texts.SUMMARY_AT.format(ago=words.ago(summary.at, at))),
    ]
    return parts


def slots(method: str, presets: Presets, admin: int) -> Screen:
    """Whose answers are to change."""
    choices = [
        button(f"{preset.emoji} {preset.title}", c.Order(admin=admin, step="sure", method=method, slot=preset.id))
        for preset in presets.presets
    ]
    shared = button(f"🌐 {texts.SHARED}", c.Order(admin=admin, step="sure", method=method, slot=SHARED))
    pairs = [choices[i : i + 2] for i in range(0, len(choices), 2)]
    back = button(texts.BACK, c.Open(admin=admin, view="retrain"))
    return Screen(Text(texts.CHOOSE_SLOT.format(method=_method(method))), rows([shared], *pairs, [back]))


def confirmation(order: c.Order, presets: Presets, admin: int) -> Screen:
    """The last question. Its button carries a nonce: pressed twice it starts one job."""
    go = order.model_copy(update={"step": "go", "nonce": secrets.token_hex(4)})
    back = order.model_copy(update={"step": "slot"})
    text = texts.CONFIRM_ORDER.format(method=_method(order.method), **slot_words(order.slot, presets))
    return Screen(Text(text), rows([button(texts.START, go)], [button(texts.BACK, back)]))


def job_id(order: c.Order) -> str:
    """The id of the job that a confirmation starts."""
    return f"admin-{order.admin}-{order.nonce}"


def _method(method: str) -> str:
    return texts.METHOD_NAMES.get(method, method)


def _to_panel(admin: int) -> InlineKeyboardButton:
    return button(texts.TO_PANEL, c.Open(admin=admin, view="panel"))
