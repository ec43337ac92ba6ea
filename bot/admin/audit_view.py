"""The audit on the screen: who did what, and who tried. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from aiogram.utils.formatting import Bold, Text, as_list

from bot import wording as words
from bot.admin import callbacks as c
from bot.admin import texts
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.loop_tables import AuditRow

PAGE = 12
MOST_DETAILS = 120


def render(found: Sequence[AuditRow], page: int, admin: int) -> Screen:
    """One page; `found` holds one row more than a page if there is another."""
    lines = [_line(row) for row in found[:PAGE]] or [texts.AUDIT_NONE]
    newer = [button(texts.NEWER, c.Open(admin=admin, view="audit", page=page - 1))] if page else []
    older = [button(texts.OLDER, c.Open(admin=admin, view="audit", page=page + 1))] if len(found) > PAGE else []
    return Screen(
        as_list(Bold(texts.AUDIT_HEAD), Text("\n\n".join(lines)), sep="\n\n"),
        rows([*newer, *older], [button(texts.TO_PANEL, c.Open(admin=admin, view="panel"))]),
    )


def _line(row: AuditRow) -> str:
    what = texts.AUDIT_ACTIONS.get(row.action, row.action)
    details = deed(row)
    mark = "✅" if row.allowed else "⛔"
    told = " · ".join(part for part in (row.target[:40], details[:MOST_DETAILS]) if part)
    return f"{mark} {words.stamp(row.at)} · {actor(row.user_id)} · {what}" + (f"\n{told}" if told else "")


def deed(row: AuditRow) -> str:
    """What else is known of a deed."""
    return ", ".join(_detail(name, value) for name, value in row.details.items() if value not in (None, ""))


def actor(user_id: int) -> str:
    """Who it was: an operator's number in Telegram, or whoever sits at the server."""
    return str(user_id) if user_id else texts.AUDIT_SERVER


def _detail(name: str, value: object) -> str:
    told = texts.AUDIT_VALUES.get(str(value), value)
    return texts.AUDIT_DETAILS[name].format(value=told) if name in texts.AUDIT_DETAILS else f"{name} {told}"
