"""Adapters on the screen: who answers, the history by pages, a card, the questions before a change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiogram.types import InlineKeyboardButton
from aiogram.utils.formatting import Bold, Code, Text, as_list

from bot import wording as words
from bot.admin import adapter_texts, card, texts
from bot.admin import callbacks as c
from bot.admin.names import adapter_name, slot_title, slot_words
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.loop_tables import AdapterRow, SlotChangeRow, SlotRow
from storage.presets import Presets
from storage.repositories.slots import SHARED

PAGE = 6
NONE = "none"
MOST_NUMBERS = 12


def short(adapter_id: str | None) -> str:
    """What buttons carry for an adapter."""
    return NONE if adapter_id is None else c.ref(adapter_id)


def page(
    found: Sequence[AdapterRow],
    number: int,
    total: int,
    slots: Sequence[SlotRow],
    changes: Sequence[SlotChangeRow],
    presets: Presets,
    admin: int,
) -> Screen:
    """One page of the history, newest first."""
    lines = [_line(row, slots, changes, presets) for row in found]
    parts: list[Any] = [Bold(adapter_texts.ADAPTERS_HEAD.format(total=total))]
    parts += lines or [Text(adapter_texts.ADAPTERS_NONE)]
    cards = [_card_button(adapter_name(row.adapter_id), row.adapter_id, admin) for row in found]
    newer = [button(texts.NEWER, c.Open(admin=admin, view="adapters", page=number - 1))] if number else []
    more = (number + 1) * PAGE < total
    older = [button(texts.OLDER, c.Open(admin=admin, view="adapters", page=number + 1))] if more else []
    own = _card_button(adapter_texts.OWN_CARD, None, admin)
    panel = button(texts.TO_PANEL, c.Open(admin=admin, view="panel"))
    pairs = [cards[i : i + 2] for i in range(0, len(cards), 2)]
    return Screen(as_list(*parts, sep="\n\n"), rows(*pairs, [*newer, *older], [own], [panel]))


def _card_button(text: str, adapter_id: str | None, admin: int) -> InlineKeyboardButton:
    return button(text, c.OfAdapter(admin=admin, act="card", adapter=short(adapter_id)))


def _line(row: AdapterRow, slots: Sequence[SlotRow], changes: Sequence[SlotChangeRow], presets: Presets) -> Text:
    mark = adapter_texts.TAINTED_MARK + " " if row.tainted_at is not None else ""
    head = f" · {texts.METHOD_NAMES.get(row.method, row.method)} · {words.stamp(row.created_at)}"
    return Text(mark, Code(adapter_name(row.adapter_id)), head, "\n", "\n".join(_facts(row, slots, changes, presets)))


def _facts(row: AdapterRow, slots: Sequence[SlotRow], changes: Sequence[SlotChangeRow], presets: Presets) -> list[str]:
    judged = card.passed(row.verdict)
    facts = [adapter_texts.ADAPTER_STATES.get(row.state, row.state)]
    where = [slot_title(slot.name, presets) for slot in slots if slot.active == row.adapter_id]
    if where:
        facts = [adapter_texts.ADAPTER_SERVES.format(slots=", ".join(where))]
    if judged is not None:
        facts.append(adapter_texts.ADAPTER_PASSED if judged else adapter_texts.ADAPTER_FAILED)
    if (hits := card.hits(row.verdict)) is not None:
        facts.append(adapter_texts.ADAPTER_HITS.format(hits=hits))
    lines = [" · ".join(facts)]
    last = next((one for one in changes if one.after == row.adapter_id and one.action in ("promote", "rollback")), None)
    if last is not None:
        who = adapter_texts.BY_LOOP if last.by is None else adapter_texts.BY_ADMIN.format(who=last.by)
        lines.append(adapter_texts.ADAPTER_PROMOTED.format(who=who, at=words.stamp(last.at)))
    return lines


def one(
    row: AdapterRow | None, slots: Sequence[SlotRow], changes: Sequence[SlotChangeRow], presets: Presets, admin: int
) -> Screen:
    """An adapter's card; None is what the worker has by itself."""
    adapter_id = row.adapter_id if row is not None else None
    parts: list[Text] = [Text(adapter_texts.OWN_ABOUT)]
    if row is not None:
        parts = [_line(row, slots, changes, presets), Text("\n".join(_lineage(row)))]
        if numbers := _numbers(row.metrics):
            parts.append(Text(Bold(adapter_texts.METRICS), "\n", "\n".join(numbers)))
        if row.tainted_at is not None:
            parts.append(Text(adapter_texts.TAINTED_ABOUT))
    return Screen(as_list(*parts, sep="\n\n"), rows(*_actions(adapter_id, row, slots, presets, admin)))


def _actions(
    adapter_id: str | None, row: AdapterRow | None, slots: Sequence[SlotRow], presets: Presets, admin: int
) -> list[list[InlineKeyboardButton]]:
    def acts(text: str, act: str, slot: str = SHARED) -> InlineKeyboardButton:
        values = {"admin": admin, "act": act, "adapter": short(adapter_id), "slot": slot}
        return button(text, c.OfAdapter.model_validate(values))

    usable = row is None or row.state not in ("deleted", "rejected")
    lines = [[acts(adapter_texts.TO_LIVE_IN, "slot")]] if usable else []
    if usable and row is not None:
        lines[0].append(acts(adapter_texts.TO_CANARY_IN, "pick"))
    for slot in slots:
        if adapter_id is not None and slot.canary == adapter_id:
            lines.append([acts(adapter_texts.END_CANARY.format(slot=slot_title(slot.name, presets)), "end", slot.name)])
        if slot.active == adapter_id and slot.name != SHARED:
            lines.append([acts(adapter_texts.RELEASE.format(slot=slot_title(slot.name, presets)), "free", slot.name)])
    return [*lines, [button(texts.BACK, c.Open(admin=admin, view="adapters"))]]


def _lineage(row: AdapterRow) -> list[str]:
    lines = [
        adapter_texts.LINE_PARENT.format(parent=adapter_name(row.parent)),
        adapter_texts.LINE_BASE.format(base=row.base[-60:]),
    ]
    if row.job_id:
        lines.append(adapter_texts.LINE_JOB.format(job=row.job_id))
    counts = row.data.get("counts") or row.data.get("rows")
    if isinstance(counts, Mapping):
        told = [f"{texts.ROWS.get(str(name), name)} — {value}" for name, value in counts.items() if _plain(value)]
        if told:
            lines.append(adapter_texts.LINE_DATA.format(counts="; ".join(told[:MOST_NUMBERS])))
    lines.append(adapter_texts.LINE_SIZE.format(size=words.number(row.size / 2**20, 1)))
    return lines


def _numbers(metrics: Mapping[str, Any]) -> list[str]:
    """The plain numbers among the metrics, one level down too."""
    found: list[str] = []
    for name, value in metrics.items():
        if _plain(value):
            found.append(f"{name}: {_number(value)}")
        elif isinstance(value, Mapping):
            found += [f"{name}.{key}: {_number(one)}" for key, one in value.items() if _plain(one)]
    return found[:MOST_NUMBERS]


def _plain(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else words.number(value, 3)


def choose_slot(adapter_id: str | None, act: str, presets: Presets, admin: int) -> Screen:
    """Whose answers are to change."""

    def acts(text: str, slot: str) -> InlineKeyboardButton:
        values = {"admin": admin, "act": act, "adapter": short(adapter_id), "slot": slot}
        return button(text, c.OfAdapter.model_validate(values))

    choices = [acts(f"{preset.emoji} {preset.title}", preset.id) for preset in presets.presets]
    pairs = [choices[i : i + 2] for i in range(0, len(choices), 2)]
    text = adapter_texts.WHICH_SLOT.format(adapter=adapter_name(adapter_id))
    back = _card_button(texts.BACK, adapter_id, admin)
    return Screen(Text(text), rows([acts(f"🌐 {texts.SHARED}", SHARED)], *pairs, [back]))


def choose_share(adapter_id: str, slot: str, presets: Presets, admin: int) -> Screen:
    """How many dialogues."""
    values = {"admin": admin, "act": "try", "adapter": short(adapter_id), "slot": slot}
    shares = [
        button(texts.TO_CANARY_SHARE.format(share=one), c.OfAdapter.model_validate({**values, "share": one}))
        for one in card.SHARES
    ]
    text = adapter_texts.WHICH_SHARE.format(adapter=adapter_name(adapter_id), **slot_words(slot, presets))
    return Screen(Text(text), rows(shares, [_card_button(texts.BACK, adapter_id, admin)]))


def question(data: c.OfAdapter, adapter_id: str | None, slot: SlotRow | None, presets: Presets, admin: int) -> Screen:
    """«Are you sure»; the answer holds only for the slot as it is now."""
    asked, yes = adapter_texts.ADAPTER_QUESTIONS[data.act]
    text = asked.format(
        adapter=adapter_name(adapter_id),
        **slot_words(data.slot, presets),
        now=adapter_name(slot.active if slot else None),
        share=data.share,
    )
    sure = data.model_copy(update={"sure": True, "revision": slot.revision if slot else 0})
    return Screen(
        Text(text),
        rows([button(yes.format(share=data.share), sure)], [_card_button(texts.NO, adapter_id, admin)]),
    )
